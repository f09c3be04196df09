"""One module for each subcommand: a table of options and one call of a job."""
