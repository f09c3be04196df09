"""Ids, file names, types and texts that would control a terminal, or are markup to `rich`, in each command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from spiritlm_cli import console
from spiritlm_cli.training import mixture

Run = Callable[..., Result]
HOSTILE = "\x1b]0;x\x07[red]\u202e"
SHOWN = "?]0;x?[red]?"  # what people see of it


def check(shown: str) -> None:
    """Check what is written for people: nothing in it controls a terminal."""
    assert shown
    assert not [character for character in shown if not (character.isprintable() or character == "\n")]


@pytest.fixture
def manifest(tmp_path: Path, recording: Path) -> Path:
    """A clip whose file is not there, and one whose text does not match it."""
    rows = [
        {"id": HOSTILE, "audio": f"{HOSTILE}.wav", "text": "a b"},
        {"id": f"{HOSTILE}2", "audio": str(recording), "text": "many words in half of a second " * 9},
    ]
    path = tmp_path / "clips.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


@pytest.mark.parametrize("command", ["tokenize", "align", "interleave"])
def test_ids_of_clips(spiritlm: Run, model: tuple[str, Path], manifest: Path, command: str) -> None:
    more = ("--workers", "0") if command == "align" else model
    result = spiritlm(command, *more, "--manifest", manifest, "--on-error", "skip", "-v")
    assert result.exit_code == 1
    check(result.stderr)
    assert SHOWN in result.stderr


@pytest.mark.parametrize(
    "command", ["tokenize", "align", "interleave", "generate", "decode", "models convert"]
)
def test_names_of_files(spiritlm: Run, tmp_path: Path, command: str) -> None:
    result = spiritlm(*command.split(), f"{HOSTILE}.x", "-o", tmp_path / "out.wav")
    assert result.exit_code in (1, 2)
    check(result.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "pairs", HOSTILE], ["evaluate", "wuggy", HOSTILE], ["evaluate", "blimp", HOSTILE],
        ["evaluate", "asr", "--manifest", HOSTILE], ["bench", "--audio", HOSTILE], ["bench", "--model", HOSTILE],
        ["train", "pitch", "--manifest", HOSTILE, "-o", "new"], [HOSTILE], ["tokenize", f"--{HOSTILE}"],
        ["generate", "--to", HOSTILE], ["tokenize", "a.wav", "--shard", HOSTILE], ["generate", "--task", HOSTILE],
        ["generate", "--task", HOSTILE, "--shots", "0"], ["align", "a.wav", "--aligner", HOSTILE],
        ["decode", "-o", f"a.{HOSTILE}"], ["decode", "-o", "a.wav", "--speaker", HOSTILE],
        ["generate", "--prompt", f"{HOSTILE}[Hu01]"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]).replace(HOSTILE, "…"),
)  # fmt: skip
def test_arguments(
    spiritlm: Run, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(recording.read_bytes())
    (tmp_path / "a.txt").write_text("a word\n")
    result = spiritlm(*arguments, stdin="[Hu1]\n")
    assert result.exit_code in (1, 2)
    check(result.stderr)


@pytest.mark.parametrize(
    "command", [["generate", "--max-new-tokens", "1"], ["generate", "--score"], ["decode", "-o", "out/"]]
)
def test_ids_of_lines(
    spiritlm: Run,
    model: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = spiritlm(*command, *model, "--on-error", "skip", "-v", stdin=f"{HOSTILE}\t[Hu01]\n")
    assert result.exit_code == 1
    check(result.stderr)
    assert SHOWN in result.stderr


def test_texts_that_decode_shows(spiritlm: Run, model: tuple[str, Path], tmp_path: Path) -> None:
    line = f"{HOSTILE}\t[TEXT]{HOSTILE.replace('[', chr(92) + '[')}[SPEECH][St1][Pi1][Hu1][Hu2]\n"
    result = spiritlm("decode", *model, "-o", f"{tmp_path}/", stdin=line)
    assert result.exit_code == 0
    assert result.stderr == f"{SHOWN}: {SHOWN}\n"


def test_ids_and_types_of_pairs(spiritlm: Run, model: tuple[str, Path], tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text(
        f"id\ttype\tgood\tbad\n{HOSTILE}\t{HOSTILE}\tthe cat\tcat the\n{HOSTILE}2\tx\t[Hu01]\ta\n"
    )
    result = spiritlm("evaluate", "pairs", *model, table, "--on-error", "skip")
    assert result.exit_code == 1
    check(result.stderr)
    check(result.stdout)


def test_spans_that_interleave_explains(
    spiritlm: Run, model: tuple[str, Path], recording: Path, tmp_path: Path
) -> None:
    words = [{"word": HOSTILE, "start": 0.0, "end": 0.2}, {"word": "b", "start": 0.2, "end": 0.4}]
    row = {"id": HOSTILE, "audio": str(recording), "text": f"{HOSTILE} b", "words": words}
    (tmp_path / "clips.jsonl").write_text(json.dumps(row) + "\n")
    result = spiritlm("interleave", *model, "--manifest", tmp_path / "clips.jsonl", "--explain")
    check(result.stderr)


def test_ids_that_training_leaves_out(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.set_up()
    units = tmp_path / "units.jsonl"
    units.write_text(json.dumps({"id": f"{HOSTILE}2", "hubert": "1 2 3"}) + "\n")
    assert mixture.read_utterances(manifest, units) == []
    shown = capsys.readouterr().err
    check(shown)
    assert SHOWN in shown
