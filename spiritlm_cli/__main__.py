"""The `spiritlm` command, and `python -m spiritlm_cli`."""

from spiritlm_cli.signals import end_on_signals


def main() -> None:
    """The console script. Signals are handled before anything else is imported."""
    end_on_signals()
    from spiritlm_cli.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
