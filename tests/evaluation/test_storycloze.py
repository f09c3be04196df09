from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pairs import BadPair, Group, JoinedClips, Pair
from spiritlm_cli.evaluation.storycloze import DIRECTIONS, read_stories
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Sequence, TextSpan


def write_story(folder: Path, name: str, suffixes: tuple[str, ...] = (".wav", ".txt")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("mutual", "correct", "incorrect"):
        for suffix in suffixes:
            (folder / f"{name}_{part}{suffix}").write_text(f" {part} {name}.\n")


def pairs(path: Path) -> dict[str, Pair]:
    entries = read_stories(path, "topic-storycloze")
    assert not [str(entry.error) for entry in entries if isinstance(entry, BadPair)]
    return {entry.id: entry for entry in entries if isinstance(entry, Pair)}


def text(content: str) -> Sequence:
    return Sequence.of([TextSpan(content)])


def test_four_directions(tmp_path: Path) -> None:
    write_story(tmp_path / "x", "a")
    found = pairs(tmp_path)
    assert [pair.set for pair in found.values()] == list(DIRECTIONS)
    mutual, correct, incorrect = (
        Clip(f"a_{part}", tmp_path / "x" / f"a_{part}.wav") for part in ("mutual", "correct", "incorrect")
    )
    contents = {
        pair.set: (pair.given, *(candidate.content for candidate in pair.candidates))
        for pair in found.values()
    }
    assert contents == {
        "T→T": (text("mutual a."), text(" correct a."), text(" incorrect a.")),
        "T→S": (text("mutual a."), correct, incorrect),
        "S→T": (mutual, text("correct a."), text("incorrect a.")),
        "S→S": (
            None,
            JoinedClips("a_correct", mutual, correct),
            JoinedClips("a_incorrect", mutual, incorrect),
        ),
    }
    assert found["a/S→T"].good[0].source == str(tmp_path / "x" / "a_correct")
    assert (found["a/S→T"].item, found["a/S→T"].voice, found["a/S→T"].groups) == ("a", None, ())


def test_chosen_directions(tmp_path: Path) -> None:
    write_story(tmp_path, "a")
    chosen = read_stories(tmp_path, "storycloze", ("TS", "ST"))
    assert [entry.id for entry in chosen] == ["a/T→S", "a/S→T"]
    write_story(tmp_path / "text", "a", (".txt",))
    with pytest.raises(ManifestError, match="no files for the direction SS"):
        read_stories(tmp_path / "text", "storycloze", ("SS",))


def test_speakers_read_the_same_stories(tmp_path: Path) -> None:
    for speaker in ("f", "m"):
        write_story(tmp_path / "cross_ms_tSC" / speaker, "a")
    found = pairs(tmp_path)
    # texts are the same, so they are scored once
    assert list(found) == ["f/a/T→T", "f/a/T→S", "f/a/S→T", "f/a/S→S", "m/a/T→S", "m/a/S→T", "m/a/S→S"]
    assert {pair.item for pair in found.values()} == {"a"}
    assert (found["m/a/S→T"].voice, found["m/a/S→T"].groups) == ("m", (Group("speaker", "m"),))
    assert (found["f/a/T→T"].voice, found["f/a/T→T"].groups) == (None, ())


def test_directions_for_which_there_are_no_files(tmp_path: Path) -> None:
    write_story(tmp_path / "speech", "a", (".wav",))
    assert list(pairs(tmp_path / "speech")) == ["a/S→S"]
    write_story(tmp_path / "text", "a", (".txt",))
    assert list(pairs(tmp_path / "text")) == ["a/T→T"]


def test_whole_stories_and_their_texts(tmp_path: Path) -> None:
    folder = tmp_path / "tSC"
    folder.mkdir()
    for name in ("0_a_correct", "1_a_incorrect"):
        (folder / f"{name}.wav").touch()
    assert list(pairs(tmp_path)) == ["0_a_correct/S→S"]
    (folder / "other.csv").write_text("a,b\n")
    (folder / "tSC.csv").write_text(
        "pair_id,text,type,correctness\n1,Story.,prompt,\n1,x.,end,correct\n1,y.,end,incorrect\n"
    )
    found = pairs(tmp_path)
    assert [(pair.id, pair.set) for pair in found.values()] == [("1/T→T", "T→T"), ("0_a_correct/S→S", "S→S")]
    assert list(pairs(folder / "tSC.csv")) == ["1/T→T"]


def test_stories_that_cannot_be_used(tmp_path: Path) -> None:
    write_story(tmp_path, "a")
    write_story(tmp_path, "b")
    (tmp_path / "b_incorrect.wav").unlink()
    (tmp_path / "b_correct.txt").write_bytes(b"\xff")
    entries = read_stories(tmp_path, "storycloze")
    bad = {entry.id: str(entry.error) for entry in entries if isinstance(entry, BadPair)}
    assert bad == {
        "b/T→T": f"{tmp_path}/b_correct.txt: not UTF-8 text",
        "b/T→S": f"{tmp_path}/b_incorrect.wav: no such file",
        "b/S→T": f"{tmp_path}/b_correct.txt: not UTF-8 text",
        "b/S→S": f"{tmp_path}/b_incorrect.wav: no such file",
    }
    assert len(entries) == 8
    with pytest.raises(ManifestError, match="no stories are there"):
        read_stories(tmp_path / "none", "storycloze")


def test_a_story_without_its_beginning(tmp_path: Path) -> None:
    write_story(tmp_path, "a")
    (tmp_path / "b_correct.wav").touch()
    bad = [entry for entry in read_stories(tmp_path, "storycloze", ["SS"]) if isinstance(entry, BadPair)]
    assert [(entry.id, str(entry.error)) for entry in bad] == [
        ("b/S→S", f"{tmp_path}/b_mutual.wav: no such file")
    ]


def test_no_story_of_speakers_of_one_name_is_lost(tmp_path: Path) -> None:
    for part in ("dev", "test"):
        write_story(tmp_path / part / "f", "a")
    assert [entry.id for entry in read_stories(tmp_path, "storycloze", ["SS"])] == ["f/a/S→S"] * 2


def test_the_other_benchmark_is_refused(tmp_path: Path) -> None:
    write_story(tmp_path / "ms_sSC" / "f", "a")
    with pytest.raises(ManifestError, match="its name is that of storycloze"):
        read_stories(tmp_path, "topic-storycloze")
    with pytest.raises(ManifestError, match="its name is that of storycloze"):
        read_stories(tmp_path / "ms_sSC", "topic-storycloze")
    assert read_stories(tmp_path, "storycloze")
