"""The clips to process, with their transcripts and word times: manifests, folders, lists of files. Needs no torch."""
