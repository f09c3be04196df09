import json
import subprocess

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
    assert found == {"id": "short", "audio": str(recording), **published["units"]}


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
    assert [line[0] for line in both] == [
        f"{recording.parent.name}/short",
        f"{tmp_path.name}/b c",
    ]
    assert both[0][1] == both[1][1]
    assert spiritlm("tokenize", *model, "--units", "base", tmp_path).stdout.startswith("b c\t[SPEECH]")
    assert spiritlm("tokenize", *model, "--units", "base", tmp_path, "--no-ids").stdout.startswith("[SPEECH]")
    one = spiritlm("tokenize", *model, "--units", "base", recording, "--ids").stdout
    assert one == f"short\t{both[0][1]}\n"


def test_the_recipe_with_xargs_keeps_all_ids(programs, release_tree, recording, tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(recording.read_bytes())
    command = f"printf '%s\\0' ./a.wav ./b.wav ./c.wav | xargs -0 -n 2 {programs}/spiritlm tokenize --ids"
    done = subprocess.run(
        ["sh", "-c", f"{command} --model {release_tree}"], cwd=tmp_path, capture_output=True, check=True
    )
    assert [line.partition(b"\t")[0] for line in done.stdout.splitlines()] == [b"a", b"b", b"c"]


def test_a_header_says_whose_tokens_follow(spiritlm, model, recording, small_release):
    header = spiritlm("tokenize", *model, recording, "--units", "base", "--header").stdout.splitlines()[0]
    fingerprint = find_checkpoint(str(small_release)).fingerprint()
    assert header == f"#spiritlm 1 model={small_release.name} tokenizer={fingerprint}"


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
    interrupted, bad, *_ = result.stderr.splitlines()
    assert "tokens.txt.part: what an interrupted run wrote of 1 inputs is replaced" in interrupted
    assert bad.startswith("spiritlm: bad: ")
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


@pytest.fixture
def many(tmp_path, recording):
    """A manifest of stretches, of which the third can't be used."""
    rows = [f"c{i}\t{recording}\t{i / 100}\t{(i + 10) / 100}\n" for i in range(9)]
    rows[2] = "c2\tnothing.wav\t\t\n"
    path = tmp_path / "many.tsv"
    path.write_text("id\taudio\tstart\tend\n" + "".join(rows))
    return path


@pytest.mark.parametrize("interval", [0.0, 1e9])
@pytest.mark.parametrize("header", [(), ("--header",)])
def test_resume_is_byte_identical(
    spiritlm, model, many, tmp_path, crash_states, monkeypatch, interval, header
):
    monkeypatch.setattr("spiritlm_cli.jobs.journal._INTERVAL", interval)
    folder = tmp_path / "run"
    folder.mkdir()
    out, bad = folder / "out", folder / "bad"
    arguments = ("tokenize", *model, "--units", "base", "--manifest", many, "--on-error", "skip", *header)
    arguments = (*arguments, "-o", out, "--errors", bad)
    crashes = crash_states(out)
    assert spiritlm(*arguments).exit_code == 1
    monkeypatch.undo()
    assert not list(folder.glob("*.part*"))
    whole, reasons = out.read_bytes(), bad.read_bytes()
    for state in crashes.states[:: 5 if interval else 3]:
        crashes.restore(state)
        assert spiritlm(*arguments, "--resume").exit_code == 1
        assert (out.read_bytes(), bad.read_bytes()) == (whole, reasons)
        assert not list(folder.glob("*.part*"))
    finished = spiritlm(*arguments, "--resume")
    assert (finished.exit_code, out.read_bytes()) == (0, whole)
    assert "is complete" in finished.stderr


def test_resume_refuses_a_file_without_a_journal(spiritlm, model, many, tmp_path):
    (tmp_path / "out.part").write_text("x\t[SPEECH][Hu1]\n")
    result = spiritlm("tokenize", *model, "--manifest", many, "-o", tmp_path / "out", "--resume")
    assert result.exit_code == 1
    assert "out.part: has no journal" in result.stderr
    assert (tmp_path / "out.part").read_text() == "x\t[SPEECH][Hu1]\n"


def test_resume_refuses_other_inputs_and_changes_nothing(spiritlm, model, many, tmp_path):
    out = tmp_path / "out"
    arguments = ("tokenize", *model, "--units", "base", "-o", out)
    assert spiritlm(*arguments, "--manifest", many).exit_code == 1
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    many.write_text(many.read_text().replace("\nc0\t", "\nother\t"))
    changed = spiritlm(*arguments, "--manifest", many, "--resume")
    assert changed.exit_code == 1
    assert "not those that are done" in changed.stderr
    other = spiritlm(*arguments, tmp_path, "--resume")
    assert "--manifest" in other.stderr or "AUDIO" in other.stderr
    repeats = spiritlm(*arguments, "--manifest", many, "--keep-repeats", "--resume")
    assert "--keep-repeats is True now and was False" in repeats.stderr
    assert all(path.read_bytes() == content for path, content in before.items() if path != many)


@pytest.mark.parametrize("parts", [1, 2, 4, 20])
def test_shards_are_the_whole(spiritlm, model, many, parts):
    arguments = ("tokenize", *model, "--units", "base", "--manifest", many, "--on-error", "skip", "--header")
    shards = [spiritlm(*arguments, "--shard", f"{i}/{parts}").stdout for i in range(parts)]
    assert "".join(shards) == spiritlm(*arguments).stdout


@pytest.mark.parametrize("shard", ["1", "2/2", "-1/2", "a/b"])
def test_no_such_shard(spiritlm, model, many, shard):
    assert spiritlm("tokenize", *model, "--manifest", many, "--shard", shard).exit_code == 2


def test_names_on_stdin(spiritlm, model, recording):
    names = f"{recording}\0".encode()
    arguments = ("tokenize", *model, "--units", "base")
    found = spiritlm(*arguments, "--files-from", "-", "-0", stdin=names).stdout
    assert found == spiritlm(*arguments, "--ids", recording).stdout
    assert spiritlm(*arguments, "--files-from", "-", stdin=names.replace(b"\0", b"\n")).stdout == found


def test_batches_change_nothing(spiritlm, model, many):
    arguments = ("tokenize", *model, "--manifest", many, "--on-error", "skip")
    alone = spiritlm(*arguments, "--batch-seconds", "0", "--workers", "1").stdout
    assert spiritlm(*arguments, "--batch-seconds", "100", "--workers", "4").stdout == alone


def test_what_is_streamed_of_a_short_sound_is_its_line(spiritlm, model, recording):
    arguments = ("tokenize", *model, recording)
    assert spiritlm(*arguments, "--stream").stdout == spiritlm(*arguments).stdout


def test_a_cluster_gives_whole_clips(spiritlm, recording):
    result = spiritlm("tokenize", recording, "--ray", "local", "--stream")
    assert result.exit_code == 2
    assert "--ray" in result.stderr
