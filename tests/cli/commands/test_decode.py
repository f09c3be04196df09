import io
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.reading import read_audio


@pytest.fixture
def model(shallow_vocoders: Path) -> tuple[str, Path]:
    """The options that name vocoders of few layers: oneDNN compiles each layer anew for each length and process."""
    return ("--model", shallow_vocoders)


SPEECH = "[SPEECH][St10][Pi0][Hu28][Hu22][Pi14][Hu15]"


def test_a_line_becomes_a_sound(spiritlm, model, tmp_path):
    result = spiritlm(
        "decode", *model, "-o", tmp_path / "out.wav", "--durations", "keep", stdin=SPEECH + "\n"
    )
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert len(read_audio(tmp_path / "out.wav").samples) == 3 * 640


def test_a_wav_on_stdout_is_the_same_file(spiritlm, model, tmp_path):
    spiritlm("decode", *model, "-o", tmp_path / "out.wav", stdin=SPEECH)
    result = spiritlm("decode", *model, "-o", "-", stdin=SPEECH)
    assert (
        read_audio(io.BytesIO(result.stdout_bytes)).samples == read_audio(tmp_path / "out.wav").samples
    ).all()


def test_a_file_for_each_line_of_several_files(spiritlm, model, tmp_path):
    (tmp_path / "1.txt").write_text(f"a\t{SPEECH}\n../b\t{SPEECH}\n")
    (tmp_path / "2.txt").write_text(f"c\t{SPEECH}")
    out = tmp_path / "out"
    result = spiritlm(
        "decode", *model, tmp_path / "1.txt", tmp_path / "2.txt", "-o", f"{out}/", "--format", "flac"
    )
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["%2E.%2Fb.flac", "a.flac", "c.flac"]


def test_ids_of_any_legal_length_can_be_written_to_a_folder(spiritlm, model, tmp_path):
    lines = "".join("x" * length + f"\t{SPEECH}\n" for length in (251, 252))  # names have up to 255 bytes
    folder = tmp_path / "out"
    arguments = ("decode", *model, "--on-error", "skip", "-o", f"{folder}/")
    for resume in ([], ["--resume"]):
        result = spiritlm(*arguments, *resume, stdin=lines)
        assert result.exit_code == 1
        assert "File name too long" in result.stderr
        assert [path.name for path in folder.iterdir()] == ["x" * 251 + ".wav"]


def test_several_lines_need_concat(spiritlm, model, tmp_path):
    arguments = ("decode", *model, "--durations", "keep", "-o", tmp_path / "out.wav")
    result = spiritlm(*arguments, stdin=f"{SPEECH}\n{SPEECH}\n")
    assert result.exit_code == 1
    assert "line 2: a second sequence for one file" in result.stderr
    assert not (tmp_path / "out.wav").exists()
    assert spiritlm(*arguments, "--concat", stdin=f"{SPEECH}\n{SPEECH}\n").exit_code == 0
    assert len(read_audio(tmp_path / "out.wav").samples) == 6 * 640


def test_voices_by_number_and_name(spiritlm, model, tmp_path, shallow_vocoders):
    names = (
        (shallow_vocoders / "speech_tokenizer/hifigan_spiritlm_expressive_w2v2/speakers.txt")
        .read_text()
        .split()
    )
    for speaker in ("1", names[1], names[0]):
        spiritlm("decode", *model, "--speaker", speaker, "-o", tmp_path / f"{speaker}.wav", stdin=SPEECH)
    first, same, other = ((tmp_path / f"{speaker}.wav").read_bytes() for speaker in ("1", names[1], names[0]))
    assert first == same != other
    result = spiritlm("decode", *model, "--speaker", "nobody", "-o", tmp_path / "out.wav", stdin=SPEECH)
    assert result.exit_code == 1
    assert names[0] in result.stderr


@pytest.mark.parametrize("option", ["--speaker", "--style"])
def test_help_lists_the_voices(spiritlm, model, option):
    result = spiritlm("decode", *model, option, "help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("speakers\n  0  ")


def test_without_an_output_the_ways_are_named(spiritlm):
    result = spiritlm("decode", stdin="[Hu1]\n")
    assert result.exit_code == 2
    assert "there is no output: give -o out.wav, -o FOLDER/" in result.stderr


def test_audio_is_not_written_to_a_terminal(spiritlm, model, monkeypatch):
    monkeypatch.setattr(sys, "__stdout__", SimpleNamespace(isatty=lambda: True, fileno=lambda: 1))
    result = spiritlm("decode", *model, "-o", "-", stdin="[Hu1]\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "would write audio to the terminal; redirect it" in result.stderr


def test_text_goes_to_stderr_or_a_file(spiritlm, model, tmp_path):
    lines = f"a\t[TEXT]Hello, [SPEECH]{SPEECH}[TEXT]world.\nb\t{SPEECH}\n"
    arguments = ("decode", *model, "-o", f"{tmp_path}/")
    told = spiritlm(*arguments, stdin=lines).stderr.splitlines()
    assert told == ["a: Hello, world."]
    assert spiritlm(*arguments, "-q", stdin=lines).stderr == ""
    assert "Hello" not in spiritlm(*arguments, "--text-out", tmp_path / "text", stdin=lines).stderr
    assert (tmp_path / "text").read_text() == "a\tHello, world.\nb\t\n"


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"\x00\xff\x7f garbage\n", "line 1, column "),
        (b"some words\n", "line 1: no speech"),
        (b"[Hu501]\n", "line 1: [Hu501] is not a unit of this vocoder, which has [Hu0] to [Hu500]"),
        (b"[Pi0][Hu1]\n[Hu01]\n", "line 2, column 1: '[Hu01]' is not a unit"),
        (b"\n", "line 1: no speech"),
        (b"", "no line to decode"),
    ],
)
def test_what_cannot_be_decoded_is_said_in_a_line(spiritlm, model, tmp_path, stdin, message):
    result = spiritlm("decode", *model, "-o", tmp_path / "out.wav", stdin=stdin)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"spiritlm: {message}" in result.stderr
    assert result.stderr.count("\n") == 1 + (not stdin)  # with a warning that there is no line
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-o", "out.mp3"],
            "Invalid value for --output: out.mp3: .mp3 can't be written; .wav, .flac, .ogg, .opus can",
        ),
        (["-o", "out"], "Invalid value for --output: out: an audio file needs a suffix"),
        (
            ["-o", "r.ogg", "--sample-rate", "200001"],
            "Invalid value for --sample-rate: OGG (Vorbis) can't hold a sampling rate of 200001 Hz",
        ),
        (
            ["-o", "sounds/", "--format", "opus", "--sample-rate", "44100"],
            "Invalid value for --sample-rate: OGG (Opus) can't hold a sampling rate of 44100 Hz",
        ),
        (["-o", "x.flac", "--bits", "float"], "Invalid value for --bits: FLAC can't hold floats; WAV can"),
    ],
)
def test_a_format_that_cannot_be_written_is_a_usage_error(spiritlm, arguments, message):
    result = spiritlm("decode", "--model", "/no/such/model", *arguments, stdin=SPEECH)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


def test_a_missing_folder_is_said_before_the_work(spiritlm, tmp_path):
    # an empty folder is no model, which loading it would say
    result = spiritlm("decode", "--model", tmp_path, "-o", tmp_path / "no/out.wav", stdin=SPEECH)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"spiritlm: {tmp_path / 'no/out.wav'}: can't be written (there is no folder"
    )


@pytest.mark.parametrize(("name", "subtype"), [("x.opus", "OPUS"), ("x.ogg", "VORBIS"), ("x.flac", "PCM_16")])
def test_the_suffix_names_the_format(spiritlm, model, tmp_path, name, subtype):
    assert spiritlm("decode", *model, "-o", tmp_path / name, stdin=SPEECH).exit_code == 0
    assert soundfile.info(tmp_path / name).subtype == subtype


def test_lines_without_ids_of_two_files_have_names_that_differ(spiritlm, model, tmp_path):
    (tmp_path / "in.txt").write_text(SPEECH)
    result = spiritlm("decode", *model, tmp_path / "in.txt", tmp_path / "in.txt", "-o", f"{tmp_path}/")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == ["1.wav", "2.wav"]


def test_text_steers_no_terminal(spiritlm, model, tmp_path):
    assert spiritlm("decode", *model, "-o", f"{tmp_path}/", stdin=f"\x1b[31m{SPEECH}").stderr == "?[31m\n"


def test_a_line_without_speech_can_be_skipped(spiritlm, model, tmp_path):
    result = spiritlm(
        "decode",
        *model,
        "-o",
        f"{tmp_path}/",
        "--on-error",
        "skip",
        stdin=f"a\t[Pi1]\nb\t{SPEECH}\na\t{SPEECH}\nb\t{SPEECH}\n",
    )
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]
    assert result.stderr.splitlines()[:-1] == [
        "spiritlm: a: line 1: no speech to decode: no [Hu…] units; if a model ended at once, "
        "`generate --min-seconds 1` makes it go on",
        "spiritlm: b: line 4: b.wav is already written for another input of that id",
    ]


def test_lines_of_unused_inputs_are_passed_on(spiritlm, model, tmp_path):
    lines = f"a\t\nb\t{SPEECH}\nc\t\n"
    texts = tmp_path / "texts"
    result = spiritlm("decode", *model, "-o", f"{tmp_path}/out/", "--text-out", texts, stdin=lines)
    assert result.exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.wav"]
    assert texts.read_text() == "a\t\nb\t\nc\t\n"
    assert re.fullmatch(r"spiritlm: .*/out/: 3 lines, .*, 2 empty\n", result.stderr)
    one = spiritlm("decode", *model, "-o", tmp_path / "one.wav", stdin=lines)
    assert one.exit_code == 0


# Two seconds, with no two phonetic units alike in a row, so that they are known to be without their repeats.
LONG = "[SPEECH][St10][Pi0]" + "".join(f"[Hu{number}]" for number in range(100, 150)) + "[Pi14]"


@pytest.mark.parametrize(
    ("line", "whole", "heard"),
    [
        (f"{SPEECH}[SPEECH][Hu7][Pi3][Hu8]", f"{SPEECH}[Hu7][Pi3][Hu8]", 2),
        (f"[SPEECH][Hu9][TEXT]said{SPEECH}[SPEECH][Hu7]", f"{SPEECH}[Hu7]", 1),
        (f"[TEXT]Hello {SPEECH}", SPEECH, 3),
        (f"[TEXT]Hello [TEXT]you{SPEECH}[TEXT].", SPEECH, 3),
    ],
)
def test_the_continuation_is_the_rest_of_the_whole(spiritlm, model, tmp_path, line, whole, heard):
    arguments = ("decode", *model, "--durations", "keep", "--bits", "float")
    spiritlm(*arguments, "-o", tmp_path / "whole.wav", stdin=whole)
    result = spiritlm(*arguments, "-o", tmp_path / "rest.wav", "--from", "continuation", stdin=line)
    assert result.exit_code == 0, result.stderr
    rest = read_audio(tmp_path / "rest.wav").samples
    assert len(rest) == heard * 640
    np.testing.assert_allclose(
        rest, read_audio(tmp_path / "whole.wav").samples[-len(rest) :], atol=1e-6, rtol=0
    )


def test_the_text_of_a_continuation_is_its_own(spiritlm, model, tmp_path):
    arguments = ("decode", *model, "-o", tmp_path / "out.wav", "--from", "continuation")
    assert spiritlm(*arguments, stdin=f"[TEXT]Hello, [TEXT]world.{SPEECH}").stderr == "world.\n"


@pytest.mark.parametrize("line", [f"{SPEECH}[TEXT]Hello", f"{SPEECH}[SPEECH]", f"{SPEECH}[SPEECH][St1]"])
def test_a_continuation_without_speech(spiritlm, model, tmp_path, line):
    result = spiritlm("decode", *model, "-o", tmp_path / "out.wav", "--from", "continuation", stdin=line)
    assert result.exit_code == 1
    assert result.stderr.startswith("spiritlm: line 1: no speech in what follows the prompt")
    assert not (tmp_path / "out.wav").exists()


class Decoding:
    """`spiritlm decode` in a process of its own, which reads a pipe; ended where it hangs."""

    def __init__(self, programs: Path, *arguments: object) -> None:
        command = [str(programs / "spiritlm"), "decode", *map(str, arguments)]
        self._process = subprocess.Popen(command, bufsize=0, stdin=-1, stdout=-1, stderr=-1)
        self._watch = threading.Timer(120, self._process.kill)

    def __enter__(self) -> "Decoding":
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        self._process.kill()
        self._process.communicate()

    def write(self, text: str) -> None:
        for token in re.findall(r"\[\w+\]|[^\[]+", text):
            self._process.stdin.write(token.encode())

    def read(self, count: int) -> bytes:
        """So many bytes of the sound, which are waited for."""
        found = b""
        while len(found) < count and (more := self._process.stdout.read(count - len(found))):
            found += more
        return found

    def close(self) -> None:
        """Nobody reads the sound any more."""
        self._process.stdout.close()

    def finish(self, send: signal.Signals | None = None) -> tuple[int, bytes, str]:
        """The exit status, the rest of the sound, and what was said."""
        if send:
            self._process.send_signal(send)
        out, said = self._process.communicate()
        return self._process.returncode, out, said.decode()


HALF_A_SECOND = 44 + 12 * 640 * 2


@pytest.mark.parametrize(
    ("start", "before"),
    [("start", ""), ("continuation", f"[TEXT]Hello {SPEECH}"), ("start", "a\t[TEXT]Hello")],
)
def test_sound_comes_before_the_line_ends(programs, spiritlm, model, tmp_path, start, before):
    with Decoding(programs, *model, "-o", "-", "--from", start) as decoding:
        decoding.write(f"{before}{LONG}")
        sound = decoding.read(HALF_A_SECOND)
        assert len(sound) == HALF_A_SECOND
        decoding.write(LONG.removeprefix("[SPEECH]") + "\n")
        status, rest, said = decoding.finish()
    assert (status, said) == (0, "a: Hello\n" if before.startswith("a") else "")
    arguments = ("-o", tmp_path / "whole.wav", "--from", start)
    spiritlm("decode", *model, *arguments, stdin=before + LONG + LONG.removeprefix("[SPEECH]"))
    whole = read_audio(tmp_path / "whole.wav").samples
    found = read_audio(io.BytesIO(sound + rest)).samples
    np.testing.assert_allclose(found, whole, atol=1 / 32768 + 1e-6, rtol=0)


def test_a_line_that_turns_out_bad_leaves_no_file(programs, model, tmp_path):
    with Decoding(programs, *model, "-o", tmp_path / "out.wav") as decoding:
        decoding.write(f"{LONG}[Hu01]\n")
        status, _, said = decoding.finish()
    assert (status, list(tmp_path.iterdir())) == (1, [])
    assert said.startswith(f"spiritlm: line 1, column {len(LONG) + 1}: '[Hu01]' is not a unit")


def test_a_line_that_turns_out_bad_when_half_of_it_is_heard(programs, model):
    with Decoding(programs, *model, "-o", "-") as decoding:
        decoding.write(LONG)
        assert len(decoding.read(HALF_A_SECOND)) == HALF_A_SECOND
        decoding.write("[Hu501]")
        status, _, said = decoding.finish()
    assert status == 1
    assert said.startswith("spiritlm: line 1: [Hu501] is not a unit of this vocoder")


def test_a_growing_line_can_be_skipped(programs, model, tmp_path):
    with Decoding(programs, *model, "-o", tmp_path / "out.wav", "--concat", "--on-error", "skip") as decoding:
        decoding.write(f"a\t{LONG}")
        decoding.write("\tb[Hu01]\n")
        decoding.write(f"b\t{LONG}\n")
        status, _, said = decoding.finish()
    assert status == 1
    assert said.startswith("spiritlm: a: line 1, column ")
    assert len(read_audio(tmp_path / "out.wav").samples) >= 50 * 640


def test_nobody_listens_any_more(programs, model):
    with Decoding(programs, *model, "-o", "-") as decoding:
        decoding.write(LONG)
        decoding.read(HALF_A_SECOND)
        decoding.close()
        decoding.write(f"{LONG}\n")
        status, _, said = decoding.finish()
    assert (status, said) == (141, "")


def test_a_growing_line_that_is_interrupted(programs, model):
    with Decoding(programs, *model, "-o", "-") as decoding:
        decoding.write(LONG)
        decoding.read(HALF_A_SECOND)
        status, _, said = decoding.finish(signal.SIGINT)
    assert (status, said) == (130, "")
