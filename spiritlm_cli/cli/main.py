"""The `spiritlm` command: runs a subcommand and turns its errors into messages and exit statuses."""

import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from spiritlm_cli import console
from spiritlm_cli.cli.general import ERROR_STATUS
from spiritlm_cli.cli.lazy import LazyGroup
from spiritlm_cli.errors import OutOfMemoryError, SpiritLMError
from spiritlm_cli.files import naming
from spiritlm_cli.out_of_memory import is_out_of_memory
from spiritlm_cli.signals import end_on_signals
from spiritlm_cli.streams import open_standard_streams, reserve_stdout, set_encodings

INTERRUPTED = 130
CLOSED_PIPE = 141  # what a shell reports of any command that SIGPIPE ended

# Iterations for which a thread of GNU's OpenMP waits actively before it sleeps. With the default, ten times as many, a
# command took ten times as long beside another program that used all cores.
SPINS = "30000"

_NO_MEMORY = (
    "there is too little memory; lower --batch-seconds, --batch-size or --batch, take --dtype bfloat16, or end other "
    "programs"
)


# Read by libraries when they are imported.
_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}


class _Root(LazyGroup):
    """The one place where an exception becomes a message and an exit status."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        console.set_up()
        # The parser's own minimum is 50 columns.
        kwargs.setdefault("terminal_width", max(20, min(80, shutil.get_terminal_size().columns) - 2))
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _readable_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, context: Any) -> Any:
        try:
            with _readable_usage_errors():
                result = super().invoke(context)
            with naming("stdout"):
                sys.stdout.flush()
            return result
        except BrokenPipeError:
            _drop_stdout()  # whoever read it has what it wanted
            raise typer.Exit(CLOSED_PIPE) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            if is_out_of_memory(error):
                error = OutOfMemoryError(_NO_MEMORY)
            elif not isinstance(error, SpiritLMError | OSError):
                raise
            if context.meta.get("spiritlm.debug"):
                traceback.print_exc()
            console.write_message(_message(error))
            _drop_stdout()
            raise typer.Exit(context.meta.get(ERROR_STATUS, 1)) from None


@contextmanager
def _readable_usage_errors() -> Iterator[None]:
    """Make the message of a usage error one line without control characters and without the parser's own prefix.

    The help, which a group of commands gives if it is called without arguments, stays as it is.
    """
    try:
        yield
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # typer has no public name for it
            raise
        error.message = console.one_line(error.message.replace("Value error, ", "", 1))
        raise


def _drop_stdout() -> None:
    """Drop what is buffered and can't be written, so that Python's own last flush does not complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _message(error: BaseException) -> str:
    """What went wrong, where that is known."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        name = error.filename if isinstance(error.filename, str) else None
        message = f"{name}: {error.strerror}" if name else error.strerror
    return message


app = typer.Typer(
    cls=_Root,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def spiritlm() -> None:
    """Speech and text as one stream of plain-text tokens.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm generate | spiritlm decode -o out.wav
      spiritlm tokenize in.wav | spiritlm generate --to text
      echo '[TEXT]The old man walked to the sea.' | spiritlm generate --to speech | spiritlm decode -o out.wav

    Lines of tokens go through stdin and stdout; everything for people goes to stderr.
    """


def quiet_libraries() -> None:
    """Keep what libraries write for programmers off stderr: warnings, logs of torch and transformers, bars of the Hub.

    `--debug` and Python's own `-W` and PYTHONWARNINGS show warnings; variables that are set already are kept.
    """
    if "--debug" in sys.argv:
        return
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def main() -> None:
    """The console script."""
    quiet_libraries()
    end_on_signals()
    open_standard_streams()
    reserve_stdout()
    set_encodings()
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read when torch is loaded
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        if is_out_of_memory(error):
            sys.exit(f"spiritlm: {_NO_MEMORY}")
        name = type(error).__name__
        sys.exit(
            f"spiritlm: a fault of this program: {name}: {console.one_line(_message(error))} (--debug shows where)"
        )
