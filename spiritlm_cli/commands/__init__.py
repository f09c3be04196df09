"""One module a subcommand: options in, a library call, lines out."""
