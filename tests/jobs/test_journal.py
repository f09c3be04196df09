import json
from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import ResumeError
from spiritlm_cli.jobs.journal import Journal, journal_of, new_journal, part_of
from spiritlm_cli.jobs.options import GenerateOptions

OPTIONS = GenerateOptions(files=("prompts.txt",), seed=7, num_samples=2)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """The journal of a run in a folder that has its prompts."""
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").touch()
    journal = new_journal(tmp_path / "out.part.json", "generate", OPTIONS)
    journal.save()
    return journal


def test_part_and_journal_lie_beside_the_output(tmp_path: Path) -> None:
    assert part_of(tmp_path / "out.txt") == tmp_path / "out.txt.part"
    assert journal_of(tmp_path / "out.txt") == tmp_path / "out.txt.part.json"
    assert journal_of(tmp_path) == tmp_path / ".part.json"


def test_restore_takes_settings_that_are_left_at_their_defaults(journal: Journal) -> None:
    given = GenerateOptions(files=("prompts.txt",), batch_size=3)
    continued = Journal.load(journal.path).restore("generate", given)
    assert continued == replace(OPTIONS, batch_size=3, model="nano")


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("generate", replace(OPTIONS, seed=8), r"--seed is 8 now and was 7"),
        ("generate", replace(OPTIONS, files=("other.txt",)), r"FILE is /.*other\.txt now and was /.*prompts"),
        ("generate --score", OPTIONS, r"begun by spiritlm generate, not by spiritlm generate --score"),
        ("tokenize", OPTIONS, r"begun by spiritlm generate"),
    ],
)
def test_restore_refuses_what_contradicts_the_run(
    journal: Journal, command: str, options: GenerateOptions, message: str
) -> None:
    with pytest.raises(ResumeError, match=message):
        Journal.load(journal.path).restore(command, options)


def test_restore_takes_the_same_file_by_another_path(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = replace(OPTIONS, files=(str(Path("prompts.txt").absolute()),))
    monkeypatch.chdir("/")
    assert Journal.load(journal.path).restore("generate", given).files == given.files


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "7"}, "--seed was recorded as '7'"),
        ({"seed": -1}, "--seed was recorded as -1"),
        ({"top_p": 3}, "--top-p was recorded as 3"),
        ({"num_samples": None}, "--num-samples was recorded as None"),
        ({"units": "all"}, "--units was recorded as 'all'"),
        ({"stop": [1]}, "--stop was recorded as"),
        ({"stop": {}}, "--stop was recorded as"),
        ({"invented": 1}, "invented: the run has settings"),
    ],
)
def test_restore_refuses_settings_that_no_run_has(
    journal: Journal, changes: dict[str, object], message: str
) -> None:
    content = json.loads(journal.path.read_text())
    content["settings"] |= changes
    journal.path.write_text(json.dumps(content))
    with pytest.raises(ResumeError, match=message):
        Journal.load(journal.path).restore("generate", GenerateOptions(files=("prompts.txt",)))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": []},
        {"checkpoint": 1},
        {"done": []},
        {"done": {"inputs": 1}},
        {"done": {"inputs": -1}},
        {"done": {"inputs": "1"}},
        {"done": {"inputs": True}},
        {"done": {"digest": 1}},
        {"done": {"invented": 1}},
    ],
)
def test_load_refuses_values_of_another_type(journal: Journal, changes: dict[str, object]) -> None:
    content = json.loads(journal.path.read_text())
    for name, value in changes.items():
        content[name] = (
            {**content[name], **value} if isinstance(value, dict) and value != {"inputs": 1} else value
        )
    journal.path.write_text(json.dumps(content))
    with pytest.raises(ResumeError, match="not a journal"):
        Journal.load(journal.path)


def test_remaining_skips_what_is_done_and_checks_it(journal: Journal) -> None:
    for name in ("a", "b"):
        journal.add(name, lines=1, size=10, failed=0, errors_size=0)
    journal.save()
    loaded = Journal.load(journal.path)
    assert list(loaded.remaining(["a", "b", "c"], str)) == ["c"]
    with pytest.raises(ResumeError, match="not those that are done"):
        list(Journal.load(journal.path).remaining(["a", "x", "c"], str))
    with pytest.raises(ResumeError, match="2 inputs are done, but now there are 1"):
        list(Journal.load(journal.path).remaining(["a"], str))
    loaded.add("c", lines=1, size=15, failed=1, errors_size=9)
    loaded.save()
    again = Journal.load(journal.path)
    assert (again.done.inputs, again.done.lines, again.done.size, again.done.failed) == (3, 3, 15, 1)
    assert list(again.remaining(["a", "b", "c", "d"], str)) == ["d"]


@pytest.mark.parametrize(
    "content", ["", "{}", '{"version": 2}', "[1]", "[" * 100_000, '{"version": 1, "command": "x"}']
)
def test_load_refuses_a_file_that_is_no_journal(tmp_path: Path, content: str) -> None:
    path = tmp_path / "out.part.json"
    path.write_text(content)
    with pytest.raises(ResumeError, match=r"out\.part\.json: not a journal"):
        Journal.load(path)
