import json

import pytest

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
def test_modes(spiritlm, model, manifest, mode, markers):
    line = spiritlm("interleave", *model, "--manifest", manifest, "--mode", mode).stdout.splitlines()[0]
    found = sorted(
        (line.index(f"[{marker}]"), marker) for marker in ("TEXT", "SPEECH") if f"[{marker}]" in line
    )
    assert [marker for _, marker in found] == markers


def test_a_range_is_checked(spiritlm, model, manifest):
    result = spiritlm("interleave", *model, "--manifest", manifest, "--text-words", "5:2")
    assert result.exit_code == 2
    assert "10:30" in result.stderr
