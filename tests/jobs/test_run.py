import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AudioError, ResumeError
from spiritlm_cli.jobs.journal import Journal, new_journal
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.jobs.options import GenerateOptions, TokenizeOptions
from spiritlm_cli.jobs.output import OutputLine, Result
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.reader import parse_content

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
    return TokenizeOptions(**{"audio": (".",), "output": tmp_path / "out", **changes})  # type: ignore[arg-type]


def stopped_run(tmp_path: Path, bad: str, *, header: bool = True) -> None:
    with Run(settle("tokenize", options(tmp_path))) as run:
        if header:
            run.write_header("#header")
        run.write_all(outcomes(CLIPS, bad=bad), empty)


def test_an_input_that_cannot_be_used_keeps_its_line(tmp_path: Path) -> None:
    settled = settle("tokenize", options(tmp_path, on_error="skip", errors=tmp_path / "bad"))
    with Run(settled) as run:
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
    settled = settle("tokenize", options(tmp_path, resume=True))
    with Run(settled) as run:
        run.write_header("#header")
        run.write_all(outcomes(list(run.remaining(CLIPS))), empty)
    assert run.summary == Summary(inputs=4)
    assert (tmp_path / "out").read_text() == "#header\n" + "".join(
        f"{name}\t[TEXT]{name}\n" for name in "abcd"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert settle("tokenize", options(tmp_path, resume=True)).complete


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="too short"):
        stopped_run(tmp_path, bad="a", header=False)
    assert list(tmp_path.iterdir()) == []


def test_settle_refuses_another_checkpoint(tmp_path: Path, release_tree: Path) -> None:
    with pytest.raises(AudioError, match="too short"):
        stopped_run(tmp_path, bad="b", header=False)
    with pytest.raises(ResumeError, match="checkpoint nano, not with /"):
        settle("tokenize", options(tmp_path, resume=True, model=str(release_tree)))


def test_settle_takes_the_checkpoint_of_the_run(tmp_path: Path, release_tree: Path) -> None:
    with (
        pytest.raises(AudioError, match="too short"),
        Run(settle("tokenize", options(tmp_path, model=str(release_tree)))) as run,
    ):
        run.write_all(outcomes(CLIPS, bad="b"), empty)
    continued = settle("tokenize", options(tmp_path, resume=True)).options
    assert continued.model == str(release_tree.resolve())
    with pytest.raises(ResumeError, match="not with nano"):
        settle("tokenize", options(tmp_path, resume=True, model="nano"))


def test_settle_checks_given_options_with_recorded_ones(tmp_path: Path) -> None:
    with (
        pytest.raises(AudioError, match="too short"),
        Run(settle("tokenize", options(tmp_path, format="jsonl"))) as run,
    ):
        run.write_all(outcomes(CLIPS, bad="b"), empty)
    with pytest.raises(ResumeError, match="--stream is for token lines"):
        settle("tokenize", options(tmp_path, resume=True, stream=True))


def test_a_run_killed_at_any_moment_can_be_continued(tmp_path: Path) -> None:
    """The states between two system calls, made by hand."""
    out, part, journal = (tmp_path / name for name in ("out", "out.part", "out.part.json"))
    # Killed when FILE.part was opened, but not locked.
    part.touch()
    assert settle("tokenize", options(tmp_path, resume=True)).journal is None
    # Killed when the journal of a new run was written, but not yet FILE.part emptied.
    with pytest.raises(AudioError, match="too short"):
        stopped_run(tmp_path, bad="c")
    kept = part.read_bytes(), journal.read_bytes()
    new_journal(journal, "tokenize", options(tmp_path)).save()
    with Run(settle("tokenize", options(tmp_path, resume=True))) as run:
        run.write_all(outcomes(CLIPS), empty)
    assert out.read_text().startswith("a\t[TEXT]a\n")
    # Killed when the file had been renamed, but not the journal removed.
    complete = out.read_bytes()
    part.write_bytes(kept[0])
    journal.write_bytes(kept[1])
    run = Run(settle("tokenize", options(tmp_path, resume=True))).__enter__()
    run.write_all(outcomes(list(run.remaining(CLIPS))), empty)
    run.__exit__(AudioError, AudioError("stop"), None)
    part.rename(out)
    assert settle("tokenize", options(tmp_path, resume=True)).complete
    assert not journal.exists()
    assert out.read_bytes() == b"#header\n" + complete


def test_settle_refuses_a_journal_or_part_that_is_alone(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="too short"):
        stopped_run(tmp_path, bad="c")
    moved = (tmp_path / "out.part").rename(tmp_path / "moved")
    with pytest.raises(ResumeError, match=r"out\.part: is missing"):
        settle("tokenize", options(tmp_path, resume=True))
    moved.rename(tmp_path / "out.part")
    (tmp_path / "out.part.json").unlink()
    with pytest.raises(ResumeError, match="has no journal beside it"):
        settle("tokenize", options(tmp_path, resume=True))


def test_a_run_whose_errors_file_cannot_be_opened_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        Run(settle("tokenize", options(tmp_path, errors=tmp_path / "gone" / "bad"))),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_journal_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    # FILE.part can have this name, its journal can't.
    with (
        pytest.raises(OSError, match="name too long"),
        Run(settle("tokenize", options(tmp_path, output=tmp_path / ("n" * 248)))),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_leaves_the_journal_of_the_first(tmp_path: Path) -> None:
    with Run(settle("tokenize", options(tmp_path))) as run:
        run.write_header("#header")
        message = rf"another run \(process {os.getpid()} on {socket.gethostname()}\) is writing it"
        with pytest.raises(ResumeError, match=message), Run(settle("tokenize", options(tmp_path))):
            pass
        assert (tmp_path / "out.part.json").is_file()
        run.write_all(outcomes(CLIPS), empty)
    assert (tmp_path / "out").read_text().startswith("#header\na\t")


def test_lines_of_unused_inputs_are_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        InputLine("-", number, number, name, parse_content(text, name=name))
        for number, (name, text) in enumerate([("a", ""), ("b", "x"), (None, "")], 1)
    ]
    results = [
        (line, Outcome([Result((OutputLine(f"done {line.line_number}", line.id),))])) for line in lines
    ]
    with Run(settle("generate", GenerateOptions(output=tmp_path / "out", seed=1)), what="lines") as run:
        run.write_all(results, lambda line: [OutputLine("", line.id)], lambda line: line.is_unused_input)
    assert (tmp_path / "out").read_text() == "a\t\nb\tdone 2\ndone 3\n"
    assert run.summary == Summary(inputs=3)
    assert capsys.readouterr().err.endswith(", 1 empty\n")


def test_a_signal_keeps_what_is_done(tmp_path: Path) -> None:
    code = """
import os
from pathlib import Path
from spiritlm_cli.jobs.options import TokenizeOptions
from spiritlm_cli.jobs.output import OutputLine
from spiritlm_cli.jobs.run import Run, settle
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.signals import end_on_signals
end_on_signals()
for output in ("out", "empty"):
    if not os.fork():
        with Run(settle("tokenize", TokenizeOptions(audio=(".",), output=Path(output)))) as run:
            if output == "out":
                run.write(Clip("a", "a.wav"), [OutputLine("x", "a")])
            os.kill(os.getpid(), 15)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 143
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)
    assert done.stderr == (
        b"spiritlm: stopped: 1 clips are done; the same command with --resume does the others\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.part", "out.part.json"]
    assert Journal.load(tmp_path / "out.part.json").done.inputs == 1
