from pathlib import Path

import pytest

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AudioError, ResumeError
from spiritlm_cli.jobs.options import TokenizeOptions
from spiritlm_cli.jobs.output import OutputLine, Result
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle
from spiritlm_cli.manifests.clip import Clip

CLIPS = [Clip(name, Path(f"{name}.wav")) for name in "abcd"]


def outcomes(clips: list[Clip], bad: str = "") -> Outcomes[Clip]:
    for clip in clips:
        if clip.id in bad:
            yield clip, Outcome.failure(AudioError("too short"))
        else:
            yield clip, Outcome([Result((OutputLine(f"[TEXT]{clip.id}", clip.id),), 1.0)])


def empty(clip: Clip) -> list[OutputLine]:
    return [OutputLine("", clip.id)]


def options(tmp_path: Path, **changes: object) -> TokenizeOptions:
    return TokenizeOptions(audio=("corpus/",), output=tmp_path / "out", **changes)  # type: ignore[arg-type]


def stopped_run(tmp_path: Path, bad: str, *, header: bool = True) -> None:
    with Run("tokenize", settle("tokenize", options(tmp_path), "nano"), "nano") as run:
        if header:
            run.write_header("#header")
        run.write_all(outcomes(CLIPS, bad=bad), empty)


def test_an_input_that_cannot_be_used_keeps_its_line(tmp_path: Path) -> None:
    settled = settle("tokenize", options(tmp_path, on_error="skip", errors=tmp_path / "bad"), "nano")
    with Run("tokenize", settled, "nano") as run:
        run.write_header("#header")
        run.write_all(outcomes(CLIPS, bad="bc"), empty)
    assert run.summary == Summary(inputs=4, failed=2)
    assert (tmp_path / "out").read_text() == "#header\na\t[TEXT]a\nb\t\nc\t\nd\t[TEXT]d\n"
    assert (tmp_path / "bad").read_text() == "b\tb.wav: too short\nc\tc.wav: too short\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "out"]


def test_a_stopped_run_is_continued_and_ends_as_one(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"^c\.wav: too short$"):
        stopped_run(tmp_path, bad="c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.part", "out.part.json"]
    settled = settle("tokenize", options(tmp_path, resume=True), "nano")
    with Run("tokenize", settled, "nano") as run:
        run.write_header("#header")
        run.write_all(outcomes(list(run.remaining(CLIPS))), empty)
    assert run.summary == Summary(inputs=4)
    assert (tmp_path / "out").read_text() == "#header\n" + "".join(
        f"{name}\t[TEXT]{name}\n" for name in "abcd"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert settle("tokenize", options(tmp_path, resume=True), "nano").complete


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="too short"):
        stopped_run(tmp_path, bad="a", header=False)
    assert list(tmp_path.iterdir()) == []


def test_settle_refuses_another_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="too short"):
        stopped_run(tmp_path, bad="b", header=False)
    with pytest.raises(ResumeError, match="checkpoint nano, not with /models/other"):
        settle("tokenize", options(tmp_path, resume=True), "/models/other")
