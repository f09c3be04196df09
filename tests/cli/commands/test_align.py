import json

import pytest

from spiritlm_cli.alignment.formats.textgrid import read_textgrid
from spiritlm_cli.alignment.formats.whisper import read_whisper
from spiritlm_cli.alignment.store import AlignmentFiles
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.manifests.manifest import read_manifest

TEXT = "and a strip of cow skin for a belt to hold it in."
WORDS = TEXT.split()
# In the process of the tests: starting others takes longer than aligning a few words.
ALIGN = ("align", "--workers", "0")


@pytest.fixture
def manifest(tmp_path, recording_file):
    """A clip that can be aligned, one with another's text, one that isn't there, and one more."""
    clip = {"audio": str(recording_file), "start": 0, "end": 3, "text": TEXT}
    rows = [
        {"id": "a", **clip, "speaker": "robin"},
        {"id": "other", **clip, "text": "It was the best of times."},
        {"id": "gone", **clip, "audio": "gone.wav"},
        {"id": "dir/b", **clip},
    ]
    path = tmp_path / "clips.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def pair(tmp_path, recording_file):
    """in.flac and in.txt, of the whole recording."""
    text = f"{TEXT} I could show you where to get something, he said at last. Well, show me, cried Robin."
    (tmp_path / "in.flac").write_bytes(recording_file.read_bytes())
    (tmp_path / "in.txt").write_text(text + "\n")
    return tmp_path / "in.flac"


def words(alignment):
    return [word.word for word in alignment.words]


def test_rows_are_a_manifest(spiritlm, manifest, tmp_path):
    output, errors = tmp_path / "aligned.jsonl", tmp_path / "errors.tsv"
    arguments = ("align", "--manifest", manifest, "--on-error", "skip", "--errors", errors, "-o", output)
    result = spiritlm(*arguments, "--workers", "0")
    assert result.exit_code == 1
    assert result.stdout == ""
    clips = list(read_manifest(output))
    assert [clip.id for clip in clips] == ["a", "other", "gone", "dir/b"]
    assert [clip.alignment is not None for clip in clips] == [True, False, False, True]
    assert words(clips[0].alignment) == WORDS
    assert all(0 <= word.confidence <= 1 for word in clips[0].alignment.words)
    assert (clips[0].text, clips[0].speaker, clips[0].start, clips[0].end) == (TEXT, "robin", 0, 3)
    assert [line.split("\t")[0] for line in errors.read_text().splitlines()] == ["other", "gone"]
    assert "does not match the audio" in errors.read_text()
    assert "4 clips" in result.stderr

    whole = output.read_bytes()
    assert spiritlm(*arguments, "--workers", "2").exit_code == 1
    assert output.read_bytes() == whole


def test_resume_is_byte_identical(spiritlm, manifest, tmp_path, crash_states, monkeypatch):
    monkeypatch.setattr("spiritlm_cli.jobs.journal._INTERVAL", 0.0)
    output, errors = tmp_path / "aligned.jsonl", tmp_path / "errors.tsv"
    arguments = (*ALIGN, "--manifest", manifest, "--on-error", "skip", "--errors", errors, "-o", output)
    crashes = crash_states(output)
    assert spiritlm(*arguments).exit_code == 1
    monkeypatch.undo()
    whole, reasons = output.read_bytes(), errors.read_bytes()
    for state in crashes.states[1::2]:
        crashes.restore(state)
        assert spiritlm(*arguments, "--resume").exit_code == 1
        assert (output.read_bytes(), errors.read_bytes()) == (whole, reasons)


def test_a_file_for_each_clip(spiritlm, manifest, tmp_path):
    for name, suffix in (("textgrid", ".TextGrid"), ("whisper", ".json"), ("whisperx", ".json")):
        folder = tmp_path / name
        result = spiritlm(
            *ALIGN, "--manifest", manifest, "--on-error", "skip", "-o", f"{folder}/", "--format", name
        )
        assert result.exit_code == 1
        assert sorted(path.name for path in folder.iterdir()) == [f"a{suffix}", f"dir%2Fb{suffix}"]
        files = AlignmentFiles.open(folder)
        for clip in ("a", "dir/b"):
            assert words(files.find(clip).alignment) == WORDS
        assert files.find("gone") is None
    (tmp_path / "textgrid" / "a.TextGrid").write_text("kept")
    (tmp_path / "textgrid" / "dir%2Fb.TextGrid").unlink()
    spiritlm(*ALIGN, "--manifest", manifest, "--on-error", "skip", "-o", f"{tmp_path}/textgrid/", "--resume")
    assert (tmp_path / "textgrid" / "a.TextGrid").read_text() == "kept"
    assert words(read_textgrid(tmp_path / "textgrid" / "dir%2Fb.TextGrid")) == WORDS


def test_text_beside_the_sound_and_every_format(spiritlm, pair, tmp_path):
    text = (tmp_path / "in.txt").read_text().strip()
    row = json.loads(spiritlm(*ALIGN, pair).stdout)
    assert [word["word"] for word in row["words"]] == text.split()
    expected = Alignment(tuple(Word(word["word"], word["start"], word["end"]) for word in row["words"]))

    assert spiritlm(*ALIGN, pair, "-o", tmp_path / "in.TextGrid").exit_code == 0
    assert read_textgrid(tmp_path / "in.TextGrid") == expected
    assert spiritlm(*ALIGN, pair, "-o", tmp_path / "in.json").exit_code == 0
    found = read_whisper(tmp_path / "in.json")
    assert (found.text, words(found.alignment)) == (text, text.split())
    ctm = spiritlm(*ALIGN, pair, "--format", "ctm").stdout.splitlines()
    assert [line.split()[4] for line in ctm] == text.split()
    assert spiritlm(*ALIGN, pair, "--format", "textgrid-short").stdout.splitlines()[5] == "<exists>"
    # the same for a folder: ids are those of its files, seen from it
    assert json.loads(spiritlm(*ALIGN, tmp_path).stdout)["id"] == "in"


def test_text_on_the_command_line(spiritlm, pair, tmp_path):
    row = json.loads(spiritlm(*ALIGN, pair, "--text", (tmp_path / "in.txt").read_text().upper()).stdout)
    assert row["words"][0]["word"] == "AND"
    sound = pair.read_bytes()
    result = spiritlm(*ALIGN, "-", "--text", TEXT, "--format", "ctm", stdin=sound)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(WORDS)


def test_doubts_are_said(spiritlm, pair, tmp_path):
    text = (tmp_path / "in.txt").read_text()
    other = text.replace("I could show you where to get something", "it was the season of light and darkness")
    result = spiritlm(*ALIGN, pair, "--text", other)
    assert result.exit_code == 0
    assert "words have low confidence" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give audio files or folders"),
        (("a.wav", "b.wav", "--text", "hello"), "is the text of one file"),
        (("a.wav", "--format", "ctm", "--resume", "-o", "x.ctm"), "continues a JSONL file"),
        (("a.wav", "--resume"), "-o FILE"),
        (("a.wav", "--format", "ctm", "-o", "folder/"), "one file, not to a folder"),
        (("a.wav", "b.wav", "-o", "x.TextGrid"), "has one clip a file"),
        (("-", "--text", "hello"), "give --format ctm"),
    ],
)
def test_usage(spiritlm, arguments, reason):
    result = spiritlm("align", *arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())


def test_faults_are_named(spiritlm, pair, tmp_path):
    (tmp_path / "in.txt").unlink()
    result = spiritlm(*ALIGN, pair)
    assert result.exit_code == 1
    assert "no text; give a manifest with a field text, or a file NAME.txt beside the audio" in result.stderr
    result = spiritlm(*ALIGN, pair, "--text", "hello", "--aligner", tmp_path)
    assert result.exit_code == 1
    assert "config.json" in result.stderr
    assert "the text is empty" in spiritlm(*ALIGN, pair, "--text", " ").stderr


def test_two_clips_of_one_name_are_an_error_in_a_resumed_run_too(spiritlm, manifest, tmp_path):
    rows = [json.loads(row) for row in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({**rows[0], "id": name}) + "\n" for name in ("a", "A", "words")))
    arguments = (
        *ALIGN,
        "--manifest",
        manifest,
        "--on-error",
        "skip",
        "-o",
        f"{tmp_path}/grids/",
        "--resume",
    )
    for _ in range(2):
        result = spiritlm(*arguments)
        assert result.exit_code == 1
        assert "already written for another input" in result.stderr


def test_the_rows_that_failed_are_counted_again_whatever_they_are_called(spiritlm, manifest, tmp_path):
    rows = [json.loads(row) for row in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({**rows[2], "id": name}) + "\n" for name in ("words", "b")))
    output, errors = tmp_path / "x.jsonl", tmp_path / "errors.tsv"
    arguments = (*ALIGN, "--manifest", manifest, "--on-error", "skip", "-o", output, "--errors", errors)
    spiritlm(*arguments)
    first = errors.read_text()
    assert first.count("\n") == 2
    output.rename(tmp_path / "x.jsonl.part")
    assert spiritlm(*arguments, "--resume").exit_code == 1
    assert errors.read_text() == first


def test_ids_of_any_legal_length_can_be_written_to_a_folder(spiritlm, recording_file, tmp_path):
    clip = {"audio": str(recording_file), "start": 0, "end": 3, "text": TEXT}
    lengths = (246, 247)  # of ids; names of 255 bytes are legal, and .TextGrid has 9
    rows = "".join(json.dumps({"id": "x" * length, **clip}) + "\n" for length in lengths)
    (tmp_path / "clips.jsonl").write_text(rows)
    folder = tmp_path / "out"
    arguments = (*ALIGN, "--manifest", tmp_path / "clips.jsonl", "--on-error", "skip", "-o", f"{folder}/")
    for resume in ([], ["--resume"]):
        result = spiritlm(*arguments, *resume)
        assert result.exit_code == 1
        assert "File name too long" in result.stderr
        assert [path.name for path in folder.iterdir()] == ["x" * 246 + ".TextGrid"]
