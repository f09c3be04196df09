import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options import (
    AlignOptions,
    AsrOptions,
    BlimpOptions,
    DecodeOptions,
    GenerateOptions,
    InterleaveOptions,
    PairsOptions,
    ResynthesisOptions,
    TokenizeOptions,
    TtsOptions,
    WuggyOptions,
)
from spiritlm_cli.jobs.options.paths import check_paths, file_key, input_keys, output_keys


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with inputs, and links to them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "list.txt", "lines.txt", "x.txt.part", "words/a.TextGrid"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("content\n")
    Path("link.txt").symlink_to("lines.txt")
    os.link("lines.txt", "hard.txt")
    return tmp_path


LINES = "lines.txt"
CLASHES: dict[str, Callable[[], object]] = {
    "AUDIO": lambda: TokenizeOptions(audio=("list.txt",), output=Path("list.txt")),
    "--files-from": lambda: TokenizeOptions(files_from="list.txt", output=Path("list.txt")),
    "--manifest": lambda: InterleaveOptions(manifest="list.txt", errors=Path("list.txt")),
    "--tokens": lambda: InterleaveOptions(tokens=LINES, output=Path("./lines.txt")),
    "--alignments": lambda: InterleaveOptions(
        audio=("a.wav",), alignments=Path(LINES), output=Path("link.txt")
    ),
    "alignments folder": lambda: InterleaveOptions(
        audio=("a.wav",), alignments=Path("words"), output=Path("words/a.TextGrid")
    ),
    "align": lambda: AlignOptions(manifest="list.txt", output="list.txt"),
    "decode": lambda: DecodeOptions(files=(LINES,), output="out/", errors=Path("hard.txt")),
    "--text-out": lambda: DecodeOptions(files=(LINES,), output="out/", text_out=Path(LINES)),
    "decode to a file": lambda: DecodeOptions(files=("a.wav",), output="a.wav"),
    "--examples": lambda: GenerateOptions(task="asr", examples=LINES, output=Path(LINES)),
    "--given": lambda: GenerateOptions(score=True, given=LINES, output=Path(LINES)),
    "--task": lambda: GenerateOptions(task="list.txt", shots=0, output=Path("list.txt")),
    "FILE.part": lambda: GenerateOptions(files=("x.txt.part",), output=Path("x.txt")),
    "--items": lambda: AsrOptions(manifest=Path("list.txt"), output=Path("list.txt")),
    "tts": lambda: TtsOptions(manifest=Path("list.txt"), errors=Path("list.txt")),
    "resynthesis": lambda: ResynthesisOptions(manifest=Path("list.txt"), output=Path("list.txt")),
    "pairs": lambda: PairsOptions(path=Path("list.txt"), output=Path("list.txt")),
    "wuggy": lambda: WuggyOptions(path=Path("list.txt"), errors=Path("list.txt")),
    "blimp": lambda: BlimpOptions(path=Path("list.txt"), output=Path("list.txt")),
    "two outputs": lambda: TokenizeOptions(audio=("a.wav",), output=Path("new"), errors=Path("./new")),
    "an output and its part": lambda: TokenizeOptions(
        audio=("a.wav",), output=Path("new"), errors=Path("new.part.json")
    ),
    "two other outputs": lambda: PairsOptions(path=Path(LINES), output=Path("n"), errors=Path("n")),
    "a text output with the name of a recording": lambda: TokenizeOptions(
        manifest="list.txt", output=Path("b.FLAC")
    ),
    "an errors file with the name of a recording": lambda: AlignOptions(
        audio=("words",), errors=Path("a.wav")
    ),
}


@pytest.mark.parametrize("name", CLASHES)
def test_an_output_that_is_an_input_or_another_output_is_refused(folder: Path, name: str) -> None:
    options = CLASHES[name]()
    with pytest.raises(OptionError, match=r"write to another file|is the name of an audio file"):
        options.check()  # type: ignore[attr-defined]
    assert (folder / LINES).read_text() == (folder / "a.wav").read_text() == "content\n"


def test_outputs_that_are_no_inputs(folder: Path) -> None:
    null = Path("/dev/null")
    os.mkfifo("pipe")
    for options in (
        TokenizeOptions(audio=("a.wav",), output=null, errors=null),
        TokenizeOptions(audio=(".",), output=Path("lines.txt"), errors=Path("list.txt")),
        GenerateOptions(files=("pipe",), output=Path("pipe")),
        GenerateOptions(files=("-",), output=Path("-")),
        GenerateOptions(task="new", output=Path("new")),
        AlignOptions(audio=("words",), output="words/"),
        InterleaveOptions(audio=("a.wav",), alignments=Path("words"), output=Path("words/lines.txt")),
        DecodeOptions(files=(LINES,), output="a.wav", errors=Path("loop" * 100)),
    ):
        check_paths(options)


def test_standard_streams_are_compared_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(LINES, "rb") as lines, open("list.txt", "ab") as appended:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lines.fileno))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=appended.fileno))
        for options in (
            GenerateOptions(output=Path(LINES)),
            GenerateOptions(files=("list.txt",)),
            GenerateOptions(files=("list.txt",), output=Path("/dev/stdout")),
            GenerateOptions(errors=Path("list.txt")),
            PairsOptions(path=Path("list.txt")),
        ):
            with pytest.raises(OptionError, match="write to another file"):
                check_paths(options)
        check_paths(GenerateOptions(files=("list.txt",), output=Path("new")))
        check_paths(GenerateOptions(output=Path("/dev/stdout")))


def test_keys(folder: Path) -> None:
    options = TokenizeOptions(audio=("a.wav", "gone"), output=Path("link.txt"), errors=Path("new"))
    assert input_keys(options) == {file_key("a.wav")}
    assert output_keys(options) == {file_key("lines.txt")}
    assert file_key("/dev/null") is file_key(".") is None


def test_a_usage_error_leaves_the_recording(programs: Path, folder: Path) -> None:
    command = [programs / "spiritlm", "tokenize", "a.wav", "-o", "a.wav"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--output: a.wav is also the input AUDIO: write to another file" in done.stderr
    assert Path("a.wav").read_text() == "content\n"
