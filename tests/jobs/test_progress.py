from collections.abc import Callable, Iterator

import pytest

from spiritlm_cli import console
from spiritlm_cli.jobs.progress import Progress


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    before = console.log.level
    console.set_up()
    yield
    console.log.setLevel(before)


def last_line(written: str) -> str:
    """What is after the bar, which is erased."""
    return written.rpartition("\x1b[2K")[2].rpartition("\r")[2]


def test_the_summary_counts_items_audio_and_failures(terminal: Callable[[], str]) -> None:
    with Progress("clips", completed=3) as progress:
        for seconds, failed in ((60.0, False), (70.0, True)):
            progress.add_seconds(seconds)
            progress.advance(failed=failed)
    message = last_line(terminal())
    assert message.startswith("spiritlm: 2 clips (3 more were done before), 2.2 min of audio in ")
    assert message.endswith(" × real time, 1 failed\n")


def test_the_summary_names_the_output(terminal: Callable[[], str]) -> None:
    with Progress("clips", output="out.txt") as progress:
        progress.advance()
    assert last_line(terminal()).startswith("spiritlm: out.txt: 1 clip in ")


@pytest.mark.parametrize("output", [None, "-"])
def test_one_item_on_stdout_has_no_summary(terminal: Callable[[], str], output: str | None) -> None:
    with Progress("clips", output=output) as progress:
        progress.advance()
    assert "spiritlm" not in terminal()


def test_quiet_shows_nothing(terminal: Callable[[], str]) -> None:
    console.set_quiet()
    with Progress("clips", 2, output="out.txt") as progress:
        progress.advance()
        progress.advance()
    assert not terminal()


@pytest.mark.parametrize("verbose", [False, True])
def test_without_a_terminal_only_verbose_has_a_summary(
    capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    if verbose:
        console.set_verbose()
    with Progress("lines", 2, output="out.txt") as progress:
        progress.advance()
        progress.advance()
    message = capsys.readouterr().err
    assert message.startswith("spiritlm: out.txt: 2 lines in ") if verbose else not message
    assert "real time" not in message


def test_a_failure_has_a_summary_without_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("lines") as progress:
        progress.advance(failed=True)
    assert capsys.readouterr().err.endswith(" s, 1 failed\n")


def test_an_error_has_no_summary_and_leaves_no_bar(terminal: Callable[[], str]) -> None:
    def interrupted() -> None:
        with Progress("clips", 2, output="out.txt") as progress:
            progress.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not last_line(terminal())
