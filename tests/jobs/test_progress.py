import pytest

from spiritlm_cli import console
from spiritlm_cli.jobs.progress import Progress


@pytest.fixture(autouse=True)
def _messages_on_stderr() -> None:
    console.set_up()


def test_the_summary_counts_items_audio_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("clips", completed=3) as progress:
        for seconds, failed in ((60.0, False), (70.0, True)):
            progress.add_seconds(seconds)
            progress.advance(failed=failed)
    message = capsys.readouterr().err
    assert message.startswith("spiritlm: 2 clips (3 more were done before), 2.2 min of audio in ")
    assert message.endswith("; 1 bad\n")


def test_one_item_or_quiet_has_no_summary(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("clips") as progress:
        progress.advance()
    console.set_quiet()
    with Progress("clips") as progress:
        progress.advance()
        progress.advance()
    assert capsys.readouterr().err == ""


def test_items_without_audio_have_no_speed(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("lines") as progress:
        progress.advance()
        progress.advance()
    assert "real time" not in capsys.readouterr().err
