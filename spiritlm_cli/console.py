"""Messages for people, on stderr: one logger, whose level `-q` and `-v` set.

Data goes to stdout; nothing here writes there.
"""

import logging
import sys

log = logging.getLogger("spiritlm_cli")


def set_up() -> None:
    """Send the package's log records to stderr as `spiritlm: MESSAGE`, warnings and errors only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("spiritlm: %(message)s"))
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.WARNING)


def set_quiet() -> None:
    """Show errors only (`--quiet`)."""
    log.setLevel(logging.ERROR)


def set_verbose() -> None:
    """Show what is being done, too (`--verbose`)."""
    log.setLevel(logging.INFO)


def is_quiet() -> bool:
    """Return whether `--quiet` was given."""
    return not log.isEnabledFor(logging.WARNING)


def is_verbose() -> bool:
    """Return whether `--verbose` was given."""
    return log.isEnabledFor(logging.INFO)


def notify(message: str) -> None:
    """Write a line for the person at the terminal to stderr, unless `--quiet` was given."""
    if not is_quiet():
        print(message, file=sys.stderr, flush=True)


def one_line(message: str) -> str:
    """Return the message as one line that can't control a terminal: whitespace runs become one space, other
    unprintable characters become `?`."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
