import json
import re

import pytest
import soundfile

from spiritlm_cli.tokens.reader import parse_line


@pytest.fixture
def manifest(tmp_path, recording_file):
    """Two clips: word times given, and to be found."""
    text = "and a strip of cow skin for a belt to hold it in."
    words = [{"word": word, "start": i / 4, "end": (i + 1) / 4} for i, word in enumerate(text.split())]
    clip = {"audio": str(recording_file), "start": 0, "end": 3, "text": text}
    path = tmp_path / "clips.jsonl"
    path.write_text(
        "".join(json.dumps(c) + "\n" for c in ({"id": "a", "words": words, **clip}, {"id": "b", **clip}))
    )
    return path


@pytest.fixture
def timed_manifest(manifest):
    """The same with the word times of both clips, for what does not depend on where they are from."""
    first, second = map(json.loads, manifest.read_text().splitlines())
    path = manifest.with_name("timed.jsonl")
    path.write_text("".join(json.dumps(c) + "\n" for c in (first, {**second, "words": first["words"]})))
    return path


def test_speech_and_text_take_turns_and_the_seed_decides(spiritlm, model, manifest):
    arguments = ("interleave", *model, "--manifest", manifest, "--text-words", "1:1", "--speech-words", "1:1")
    result = spiritlm(*arguments, "--copies", "4", "--seed", "1")
    assert result.exit_code == 0, result.stderr
    lines = [parse_line(line) for line in result.stdout.splitlines()]
    assert [line.id for line in lines] == [f"{name}#{copy}" for name in "ab" for copy in range(4)]
    assert all(line.sequence.text and line.sequence.speech for line in lines)
    assert len(set(result.stdout.splitlines())) > 2
    assert spiritlm(*arguments, "--copies", "4", "--seed", "1").stdout == result.stdout


@pytest.mark.parametrize(
    ("mode", "markers"), [("asr", ["SPEECH", "TEXT"]), ("tts", ["TEXT", "SPEECH"]), ("text", ["TEXT"])]
)
def test_modes(spiritlm, model, timed_manifest, mode, markers):
    line = spiritlm("interleave", *model, "--manifest", timed_manifest, "--mode", mode).stdout.splitlines()[0]
    found = sorted(
        (line.index(f"[{marker}]"), marker) for marker in ("TEXT", "SPEECH") if f"[{marker}]" in line
    )
    assert [marker for _, marker in found] == markers


def test_a_range_is_checked(spiritlm, model, manifest):
    result = spiritlm("interleave", *model, "--manifest", manifest, "--text-words", "5:2")
    assert result.exit_code == 2
    assert "10:30" in result.stderr


SHORT = ("--text-words", "2:4", "--speech-words", "2:4", "--seed", "3")


@pytest.fixture
def corpus(tmp_path, recording_file):
    """A folder as aligners take it: sounds with their texts beside them."""
    folder = tmp_path / "corpus"
    (folder / "robin").mkdir(parents=True)
    samples, rate = soundfile.read(recording_file, stop=3 * 16000)
    for name in ("robin/a", "b"):
        soundfile.write(folder / f"{name}.wav", samples, rate)
        (folder / f"{name}.lab").write_text("and a strip of cow skin for a belt to hold it in.\n")
    return folder


def test_a_folder_is_aligned_on_the_way_or_before(spiritlm, model, corpus, tmp_path):
    straight = spiritlm("interleave", *model, corpus, *SHORT, "-v")
    assert straight.exit_code == 0, straight.stderr
    assert [line.split("\t")[0] for line in straight.stdout.splitlines()] == ["b", "robin/a"]
    assert "2 clips" in straight.stderr
    for output in ("aligned.jsonl", "aligned.ctm", "textgrids/"):
        assert spiritlm("align", "--workers", "0", corpus, "-o", f"{tmp_path}/{output}").exit_code == 0
        arguments = ("interleave", *model, *SHORT, "--alignments", tmp_path / output)
        assert spiritlm(*arguments, corpus).stdout == straight.stdout
    from_rows = spiritlm("interleave", *model, *SHORT, "--manifest", tmp_path / "aligned.jsonl")
    assert from_rows.stdout == straight.stdout


def test_stored_units_in_place_of_sound(spiritlm, model, corpus, tmp_path):
    straight = spiritlm("interleave", *model, corpus, *SHORT).stdout
    aligned, units = tmp_path / "aligned.jsonl", tmp_path / "units.txt"
    spiritlm("align", "--workers", "0", corpus, "-o", aligned)
    spiritlm("tokenize", *model, corpus, "--keep-repeats", "--header", "-o", units)
    for path in corpus.rglob("*.wav"):
        path.unlink()
    arguments = ("interleave", *model, *SHORT, "--tokens", units)
    found = spiritlm(*arguments, "--alignments", aligned)
    assert found.exit_code == 0, found.stderr
    heading, *lines = found.stdout.splitlines()
    assert heading.startswith("#spiritlm 1 ")
    assert [*lines] == straight.splitlines()
    # with the clips' manifest, in its order; and from stdin
    assert spiritlm(*arguments, "--manifest", aligned).stdout == found.stdout
    piped = spiritlm(*arguments[:-1], "-", "--manifest", aligned, stdin=units.read_bytes())
    assert piped.stdout == found.stdout
    # one clip, whose line has no id
    one = units.read_text().splitlines()[1].split("\t")[1] + "\n"
    single = tmp_path / "one.jsonl"
    single.write_text(json.dumps({**json.loads(aligned.read_text().splitlines()[0]), "id": "1"}) + "\n")
    alone = spiritlm("interleave", *model, *SHORT, "--tokens", "-", "--alignments", single, stdin=one)
    assert alone.exit_code == 0, alone.stderr
    assert "\t" not in alone.stdout
    # its line stays empty where it can't be used
    bad = spiritlm(
        "interleave", *model, *SHORT, "--tokens", "-", "--alignments", single, "--on-error", "skip",
        stdin="[SPEECH][Hu01]\n" + one,
    )  # fmt: skip
    assert (bad.exit_code, bad.stdout) == (1, "\n" * 2)
    assert f"2: {single} has no alignment of this id" in bad.stderr


def test_units_that_can_not_be_used_cost_their_line(spiritlm, model, corpus, tmp_path):
    aligned, units = tmp_path / "aligned.jsonl", tmp_path / "units.txt"
    spiritlm("align", "--workers", "0", corpus, "-o", aligned)
    spiritlm("tokenize", *model, corpus, "--keep-repeats", "-o", units)
    good = units.read_text().splitlines()
    units.write_text(f"{good[0]}\nmerged\t[SPEECH]{'[Hu1][Hu2]' * 30}\nbad\t[Hu01]\n{good[1]}\n")
    arguments = ("interleave", *model, *SHORT, "--tokens", units)
    found = spiritlm(*arguments, "--alignments", aligned, "--on-error", "skip", "--copies", "2")
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        f"{name}#{copy}" for name in ("b", "merged", "bad", "robin/a") for copy in (0, 1)
    ]
    assert [bool(line.split("\t")[1]) for line in lines] == [True] * 2 + [False] * 4 + [True] * 2
    assert "units.txt: line 2: runs of equal units are merged" in found.stderr
    assert "line 3, column 5" in found.stderr
    other = spiritlm(*arguments, "--manifest", aligned)
    assert other.exit_code == 1
    assert "line 2: is of merged, but the manifest has robin/a there" in other.stderr


def test_resume_is_byte_identical_without_a_given_seed(
    spiritlm, model, timed_manifest, tmp_path, crash_states, monkeypatch
):
    monkeypatch.setattr("spiritlm_cli.jobs.journal._INTERVAL", 0.0)
    folder = tmp_path / "run"
    folder.mkdir()
    output = folder / "lines.txt"
    words = ("--text-words", "2:4", "--speech-words", "2:4")
    arguments = (
        "interleave",
        *model,
        "--manifest",
        timed_manifest,
        *words,
        "--copies",
        "3",
        "--header",
        "-o",
        output,
    )
    crashes = crash_states(output)
    assert spiritlm(*arguments).exit_code == 0
    monkeypatch.undo()
    whole = output.read_bytes()
    assert len(whole.splitlines()) == 7
    for state in crashes.states[::3]:
        crashes.restore(state)
        assert spiritlm(*arguments, "--resume").exit_code == 0
        assert output.read_bytes() == whole


def test_shards_are_the_whole(spiritlm, model, timed_manifest):
    arguments = ("interleave", *model, "--manifest", timed_manifest, *SHORT, "--copies", "3")
    parts = [spiritlm(*arguments, "--shard", f"{part}/2").stdout for part in range(2)]
    assert "".join(parts) == spiritlm(*arguments).stdout


def test_it_explains_itself(spiritlm, model, timed_manifest):
    result = spiritlm(
        "interleave", *model, "--manifest", timed_manifest, *SHORT, "--explain", "--copies", "2"
    )
    assert result.exit_code == 0
    for line in result.stdout.splitlines():
        name, _, content = line.partition("\t")
        assert f"{name}\n" in "\n".join(row.rstrip() for row in result.stderr.splitlines())
        spans = content.count("[TEXT]") + content.count("[SPEECH]")
        table = result.stderr.split(f"{name} ")[1].split("#")[0]
        assert len(re.findall(r"^(?:text|speech) ", table, re.MULTILINE)) == spans


def test_what_there_is_too_little_of(spiritlm, model, corpus, tmp_path):
    result = spiritlm("interleave", *model, corpus, "--aligner", "none")
    assert result.exit_code == 1
    assert "no word times" in result.stderr
    (tmp_path / "empty").mkdir()
    result = spiritlm("interleave", *model, corpus, "--alignments", tmp_path / "empty")
    assert result.exit_code == 1
    assert f"b: {tmp_path}/empty has no alignment of this id" in result.stderr
    for path in corpus.rglob("*.wav"):
        path.write_bytes(b"")
    result = spiritlm("interleave", *model, corpus, "--mode", "text")
    assert result.stdout.count("[TEXT]and a strip of cow skin for a belt to hold it in.") == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give audio files or folders"),
        (("--tokens", "x.txt", "--shard", "0/2"), "is for audio"),
        (("a.wav", "--resume", "--seed", "1"), "name it with -o"),
        (("a.wav", "--mode", "asr", "--explain"), "is for --mode interleave"),
    ],
)
def test_usage(spiritlm, model, arguments, reason):
    result = spiritlm("interleave", *model, *arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())
