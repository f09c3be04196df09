import json
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training.corpus import Clips, Corpus
from spiritlm_cli.training.prepared import INDEX, join_corpora, read_prepared, shard_path
from spiritlm_cli.training.shards import RawLine, write_clips, write_lines

WORDS = Alignment((Word("the", 0.1, 0.3), Word("cat", 0.3, 0.7)))
UTTERANCES = [
    ("x", Utterance("a", Units(np.arange(20), np.arange(10), np.array([7])), "the cat", WORDS)),
    ("y", Utterance("b", Units(np.arange(5)), "")),
    ("x", Utterance("c", Units(np.arange(6)), "a text")),
]
LINES = ["i\t[SPEECH][Hu1][Hu2]", "[TEXT]hello"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clips(shard_path(tmp_path, "clips", 0), UTTERANCES[:2])
    write_clips(shard_path(tmp_path, "clips", 1), UTTERANCES[2:])
    raw = [RawLine("f", number, line.encode()) for number, line in enumerate(LINES, 2)]
    write_lines(shard_path(tmp_path, "lines", 0), "lines", raw)
    write_index(tmp_path, {"clips": 2, "lines": 1})
    return tmp_path


def write_index(folder: Path, shards: object, version: int = 1) -> None:
    (folder / INDEX).write_text(json.dumps({"version": version, "shards": shards}))


def test_read_prepared_gives_what_was_written(folder: Path) -> None:
    corpus = read_prepared(folder)
    assert len(corpus.texts) == 0
    assert list(corpus.lines) == [parse_line(line).sequence for line in LINES]
    clips = corpus.clips
    assert list(clips.speakers) == ["x", "y", "x"]
    assert clips.words.tolist() == [2, 0, 0]
    assert clips.transcribed.tolist() == [True, False, True]
    for utterance, (_, expected) in zip(clips.utterances, UTTERANCES, strict=True):
        assert (utterance.id, utterance.text) == (expected.id, expected.text)
        assert utterance.alignment == expected.alignment
        for name in ("hubert", "pitch", "style"):
            one, other = getattr(utterance.units, name), getattr(expected.units, name)
            assert (one is other is None) or one.tolist() == other.tolist()
    assert {name: indices.tolist() for name, indices in clips.of_speakers(np.arange(3)).items()} == {
        "x": [0, 2], "y": [1]
    }  # fmt: skip
    assert list(corpus.all_texts()) == ["the cat", "a text", "", "hello"]


def test_join_corpora_puts_data_together(folder: Path) -> None:
    prepared = read_prepared(folder)
    assert join_corpora([prepared, Corpus([], [], Clips.of([]))]) is prepared
    joined = join_corpora([prepared, Corpus(["t"], [], Clips.of(UTTERANCES[:1])), prepared])
    assert list(joined.texts) == ["t"]
    assert len(joined.lines) == 4
    assert [joined.clips.utterances[index].id for index in range(7)] == ["a", "b", "c", "a", "a", "b", "c"]
    assert joined.clips.words.tolist() == [2, 0, 0, 2, 2, 0, 0]
    assert joined.clips.speakers[3:5] == ["x", "x"]
    with pytest.raises(IndexError):
        joined.texts[1]


def test_read_prepared_refuses_other_folders(folder: Path, tmp_path: Path) -> None:
    for content, message in (
        ("{", "not an index"),
        ("[]", "not an index"),
        ('{"version": 2}', "of version 2"),
    ):
        (folder / INDEX).write_text(content)
        with pytest.raises(ManifestError, match=message):
            read_prepared(folder)
    write_index(folder, {"clips": 3})
    with pytest.raises(ManifestError, match=r"clips-00002\.arrow: missing or damaged"):
        read_prepared(folder)
    write_index(folder, {"clips": 1})
    shard_path(folder, "clips", 0).write_bytes(b"not arrow")
    with pytest.raises(ManifestError, match=r"clips-00000\.arrow: missing or damaged"):
        read_prepared(folder)
