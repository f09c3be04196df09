import io

import pytest

from spiritlm_cli.audio.reading import read_audio

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


def test_several_lines_need_concat(spiritlm, model, tmp_path):
    arguments = ("decode", *model, "--durations", "keep", "-o", tmp_path / "out.wav")
    result = spiritlm(*arguments, stdin=f"{SPEECH}\n{SPEECH}\n")
    assert result.exit_code == 1
    assert "line 2: a second sequence for one file" in result.stderr
    assert not (tmp_path / "out.wav").exists()
    assert spiritlm(*arguments, "--concat", stdin=f"{SPEECH}\n{SPEECH}\n").exit_code == 0
    assert len(read_audio(tmp_path / "out.wav").samples) == 6 * 640


def test_voices_by_number_and_name(spiritlm, model, tmp_path, release_tree):
    names = (
        (release_tree / "speech_tokenizer/hifigan_spiritlm_expressive_w2v2/speakers.txt").read_text().split()
    )
    for speaker in ("1", names[1], names[0]):
        spiritlm("decode", *model, "--speaker", speaker, "-o", tmp_path / f"{speaker}.wav", stdin=SPEECH)
    first, same, other = ((tmp_path / f"{speaker}.wav").read_bytes() for speaker in ("1", names[1], names[0]))
    assert first == same != other
    result = spiritlm("decode", *model, "--speaker", "nobody", "-o", tmp_path / "out.wav", stdin=SPEECH)
    assert result.exit_code == 1
    assert names[0] in result.stderr


def test_text_goes_to_stderr_or_a_file(spiritlm, model, tmp_path):
    lines = f"a\t[TEXT]Hello, [SPEECH]{SPEECH}[TEXT]world.\nb\t{SPEECH}\n"
    arguments = ("decode", *model, "-o", f"{tmp_path}/")
    told = spiritlm(*arguments, stdin=lines).stderr.splitlines()
    assert told[0] == "a: Hello, world."
    assert told[1].startswith("spiritlm: 2 lines, ")
    assert len(told) == 2
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
    assert result.stderr.startswith(f"spiritlm: {message}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.mp3", "its suffix should say"), ("out", "out/"), ("no/out.wav", "there is no folder")],
)
def test_a_name_that_cannot_be_written_is_said_before_the_work(spiritlm, tmp_path, name, message):
    result = spiritlm("decode", "--model", "/no/such/model", "-o", tmp_path / name, stdin=SPEECH)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"spiritlm: {tmp_path / name}: ")
    assert message in result.stderr


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
        stdin=f"a\t\nb\t{SPEECH}\na\t{SPEECH}\nb\t{SPEECH}\n",
    )
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]
    assert result.stderr.splitlines()[:-1] == [
        "spiritlm: a: line 1: no speech to decode: no [Hu…] units; if a model ended at once, try another --seed",
        "spiritlm: b: line 4: b.wav is already written by another line of that id",
    ]
