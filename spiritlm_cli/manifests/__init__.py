"""Which clips there are: manifests, folders and lists of files, with their texts and word times. No torch."""
