"""The `spiritlm` command line."""
