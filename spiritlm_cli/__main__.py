"""`python -m spiritlm_cli`: the `spiritlm` command."""

from spiritlm_cli.cli.main import main

if __name__ == "__main__":
    main()
