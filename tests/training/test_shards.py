from pathlib import Path

import numpy as np
import pyarrow

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.text_files import MAX_LINE
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training.shards import RawLine, read_shard, write_clips, write_lines


def table(path: Path) -> list[dict[str, object]]:
    with pyarrow.memory_map(str(path)) as file:
        rows: list[dict[str, object]] = pyarrow.ipc.open_stream(file).read_all().to_pylist()
    return rows


def raw(*contents: bytes) -> list[RawLine]:
    return [RawLine("f.txt", number, content) for number, content in enumerate(contents, 1)]


def test_write_lines_keeps_what_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "lines.arrow"
    lines = raw(
        b"#spiritlm 1 model=base tokenizer=abc\n", b"a\t[SPEECH][Hu1]\r\n", b"\xff\n", b"id\t\n", b"[TEXT]b"
    )
    shard = write_lines(path, "lines", lines)
    read = read_shard(path, "lines")
    assert shard.rows == read.rows == 2
    assert shard.highest.to_json() == {"Hu": [1, "f.txt: line 2"]}
    assert read.highest.to_json() == {"Hu": [1, "lines.arrow: row 0"]}
    assert table(path) == [{"line": "a\t[SPEECH][Hu1]"}, {"line": "[TEXT]b"}]
    assert shard.reasons == ["f.txt: line 3: not UTF-8 text"]


def test_write_lines_names_lines_that_are_too_long(tmp_path: Path) -> None:
    path = tmp_path / "text.arrow"
    shard = write_lines(path, "text", raw(b"\xef\xbb\xbfone\n", b"x" * (MAX_LINE + 1)))
    assert table(path) == [{"text": "one"}]
    assert shard.rows == 1
    assert "f.txt: line 2: longer than" in shard.reasons[0]


def test_write_clips_keeps_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "clips.arrow"
    words = Alignment((Word("the", 0.1, 0.3),))
    known = Utterance("a", Units(np.arange(3), np.arange(2), np.array([7])), "the", words)
    unknown = Utterance("b", Units(np.arange(2)), " ")
    shard = write_clips(path, [("x", known), ("", unknown)])
    assert shard.rows == 2
    highest = {"Hu": [2, "the clip a"], "Pi": [1, "the clip a"], "St": [7, "the clip a"]}
    assert shard.highest.to_json() == read_shard(path, "clips").highest.to_json() == highest
    assert table(path) == [
        {
            "id": "a", "speaker": "x", "text": "the", "hubert": [0, 1, 2], "pitch": [0, 1], "style": [7],
            "words": ["the"], "starts": [0.1], "ends": [0.3],
        },
        {
            "id": "b", "speaker": "", "text": "", "hubert": [0, 1], "pitch": None, "style": None,
            "words": None, "starts": None, "ends": None,
        },
    ]  # fmt: skip
