import json

import numpy as np
import pytest
import soundfile

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.tokens.reader import parse_sequence


@pytest.fixture
def published(data):
    """What the published tokenizer answers to the recording, on the stand-in."""
    return json.loads((data / "speech_tokens.json").read_text())["short"]


@pytest.fixture
def manifest(tmp_path, recording):
    (tmp_path / "noise.txt").write_text("not sound\n")
    path = tmp_path / "clips.tsv"
    path.write_text(
        f"id\taudio\tstart\tend\na\t{recording}\t0\t0.3\nbad\tnoise.txt\t\t\nc\t{recording}\t2\t1\n"
        f"b\t{recording}\t0.2\t0.5\n"
    )
    return path


@pytest.mark.parametrize("units", ["base", "expressive"])
def test_a_recording_has_its_published_tokens(spiritlm, model, recording, published, units):
    result = spiritlm("tokenize", *model, recording, "--units", units)
    assert (result.exit_code, result.stdout) == (0, "[SPEECH]" + published[units] + "\n")


def test_sound_on_stdin(spiritlm, model, recording, published):
    result = spiritlm("tokenize", *model, "--units", "base", "-", stdin=recording.read_bytes())
    assert result.stdout == f"[SPEECH]{published['base']}\n"


def test_jsonl_has_the_published_keys(spiritlm, model, recording, published):
    found = json.loads(spiritlm("tokenize", *model, recording, "--format", "jsonl").stdout)
    assert found == {"id": str(recording.with_suffix("")), "audio": str(recording), **published["units"]}


def test_repeats_can_be_kept(spiritlm, model, recording, published):
    result = spiritlm("tokenize", *model, recording, "--units", "base", "--keep-repeats")
    units = parse_sequence(result.stdout.strip()).speech[0].units
    assert " ".join(map(str, (unit.id for unit in units))) == published["units"]["hubert"]


def test_several_inputs_have_ids(spiritlm, model, recording, tmp_path):
    other = tmp_path / "b c.wav"
    other.write_bytes(recording.read_bytes())
    both = [
        line.split("\t")
        for line in spiritlm("tokenize", *model, "--units", "base", recording, other).stdout.splitlines()
    ]
    assert [line[0] for line in both] == [str(recording.with_suffix("")), str(tmp_path / "b c")]
    assert both[0][1] == both[1][1]
    assert spiritlm("tokenize", *model, "--units", "base", tmp_path).stdout.startswith("b c\t[SPEECH]")
    assert spiritlm("tokenize", *model, "--units", "base", tmp_path, "--no-ids").stdout.startswith("[SPEECH]")
    assert (
        spiritlm("tokenize", *model, "--units", "base", recording, "--ids").stdout
        == "\t".join(both[0]) + "\n"
    )


def test_a_header_says_whose_tokens_follow(spiritlm, model, recording, release_tree):
    header = spiritlm("tokenize", *model, recording, "--units", "base", "--header").stdout.splitlines()[0]
    fingerprint = find_checkpoint(str(release_tree)).fingerprint()
    assert header == f"#spiritlm 1 model={release_tree.name} tokenizer={fingerprint}"


def test_a_bad_clip_stops_it_or_costs_its_line(spiritlm, model, manifest, tmp_path):
    out = tmp_path / "tokens.txt"
    arguments = ("tokenize", *model, "--units", "base", "--manifest", manifest, "-o", out)
    result = spiritlm(*arguments)
    assert result.exit_code == 1
    assert "noise.txt: not audio" in result.stderr
    assert not out.exists()
    assert (tmp_path / "tokens.txt.part").read_text().startswith("a\t[SPEECH]")

    result = spiritlm(*arguments, "--on-error", "skip")
    assert result.exit_code == 1
    assert [line.split("\t")[0] for line in out.read_text().splitlines()] == ["a", "bad", "c", "b"]
    assert out.read_text().splitlines()[1:3] == ["bad\t", "c\t"]
    assert result.stderr.startswith("spiritlm: bad: ")
    assert f"spiritlm: c: {manifest}: line 4: end (1) is not after start (2)\n" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [("words.txt", "not audio (text)"), ("missing.wav", "no such file"), ("short.wav", "too short: 10 ms")],
)
def test_what_is_no_sound_is_said_in_a_line(spiritlm, model, tmp_path, name, message):
    (tmp_path / "words.txt").write_text("Once upon a time\n")
    soundfile.write(tmp_path / "short.wav", np.zeros(160, dtype=np.float32), 16000)
    result = spiritlm("tokenize", *model, "--units", "base", tmp_path / name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"spiritlm: {tmp_path / name}: {message}")
    assert result.stderr.count("\n") == 1
