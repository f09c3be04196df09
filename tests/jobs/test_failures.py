import gc
import weakref
from pathlib import Path

import pytest

from spiritlm_cli.batching import BatchScheduler
from spiritlm_cli.errors import AudioError, TokenError
from spiritlm_cli.jobs.failures import Failures, name_of, reason_of
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.manifests.clip import Clip

LINE = InputLine("in.txt", 2, 1, None, TokenError("line 2, column 6: bad"))


def test_add_ends_the_run_and_names_the_input() -> None:
    with Failures() as failures, pytest.raises(TokenError, match=r"^in\.txt: line 2, column 6: bad$"):
        failures.add(LINE, TokenError("line 2, column 6: bad"))


def test_skipped_inputs_are_counted_logged_and_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = Clip("a", Path("a.wav"))
    with Failures("skip", tmp_path / "bad") as failures:
        failures.add(clip, AudioError("too short"))
        failures.add(LINE, TokenError("line 2, column 6: bad"))
    assert failures.count == 2
    assert (tmp_path / "bad").read_text() == "a\ta.wav: too short\n1\tin.txt: line 2, column 6: bad\n"
    assert failures.size == (tmp_path / "bad").stat().st_size


def test_a_continued_errors_file_keeps_what_the_journal_counts(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("a\tkept\nb\tnot recorded\n")
    with Failures("skip", path, count=1, kept=7) as failures:
        failures.report("c", "new")
    assert (path.read_text(), failures.count) == ("a\tkept\nc\tnew\n", 2)


def test_reason_of_names_the_file_once() -> None:
    clip = Clip("a", "-")
    assert reason_of(clip, AudioError("empty")) == "stdin: empty"
    assert reason_of(clip, AudioError("a: no text")) == "a: no text"
    assert (name_of(clip), name_of(LINE)) == ("a", "1")


def test_the_errors_file_is_named_where_the_disk_is_full() -> None:
    message = "No space left on device: '/dev/full'"
    with Failures("skip", Path("/dev/full")) as failures, pytest.raises(OSError, match=message):
        failures.report("a", "bad")


def test_a_skipped_error_keeps_no_frames(tmp_path: Path) -> None:
    """An error that holds the frames of its input keeps all of it in memory."""

    class Held:
        pass

    def fail(held: Held) -> None:
        try:
            raise ValueError("cause")
        except ValueError as cause:
            raise AudioError("too short") from cause

    held = Held()
    freed = weakref.ref(held)
    gc.disable()
    try:
        with Failures("skip") as failures:
            try:
                fail(held)
            except AudioError as error:
                kept = error
                failures.add(Clip("a", Path("a.wav")), error)
        del held
        assert freed() is None
    finally:
        gc.enable()
    assert kept.__traceback__ is None


def test_skipped_items_of_a_batch_are_freed(tmp_path: Path) -> None:
    class Item:
        id, source = "a", Path("a.wav")

    def split(item: Item) -> list[float]:
        raise AudioError("too short")

    items = [Item() for _ in range(20)]
    freed = [weakref.ref(item) for item in items]
    gc.disable()
    try:
        with Failures("skip") as failures:
            results = BatchScheduler(iter(items), split, lambda batch: batch, size=float, max_batch=1)
            del items
            for item, outcome in results:
                try:
                    outcome.result()
                except AudioError as error:
                    failures.add(item, error)
            del item, outcome, results
        assert failures.count == 20
        assert sum(reference() is not None for reference in freed) <= 1
    finally:
        gc.enable()
