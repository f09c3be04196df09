from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.options import ClipOptions, TokenizeOptions


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.flac", "sub/c.wav"):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "clips.tsv").write_text("id\taudio\n" + "".join(f"c{n}\ta.wav\n" for n in range(7)))
    return tmp_path / "corpus"


def ids(options: ClipOptions) -> list[str]:
    return [clip.id for clip in Inputs.of(options).clips()]


def test_clips_of_folders_and_lists(corpus: Path, tmp_path: Path) -> None:
    assert ids(ClipOptions(audio=(str(corpus),))) == ["a", "b", "sub/c"]
    (tmp_path / "names").write_bytes(b"x.wav\0y.wav\0")
    listed = ClipOptions(files_from=str(tmp_path / "names"), null=True)
    assert ids(listed) == ["x", "y"]
    assert Inputs.of(listed).count() == 2


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 9])
def test_shards_are_the_whole_in_order(corpus: Path, tmp_path: Path, parts: int) -> None:
    manifest = str(tmp_path / "clips.tsv")
    shards = [Inputs.of(ClipOptions(manifest=manifest, shard=(part, parts))) for part in range(parts)]
    assert [clip.id for shard in shards for clip in shard.clips()] == [f"c{n}" for n in range(7)]
    assert sum(shard.count() or 0 for shard in shards) == 7
    assert [shard.first for shard in shards] == [part == 0 for part in range(parts)]


def test_several_depends_on_what_is_named(corpus: Path) -> None:
    named = [("a.wav",), ("a.wav", "b.wav"), (str(corpus),)]
    assert [Inputs.of(ClipOptions(audio=audio)).several for audio in named] == [False, True, True]
    assert Inputs.of(ClipOptions(manifest="clips.tsv")).several
    assert Inputs.of(ClipOptions(manifest="-")).count() is None


def test_a_clip_that_is_an_output_is_refused(tmp_path: Path) -> None:
    for name in ("a.sound", "b.wav", "b.txt"):
        (tmp_path / name).write_text("content")
    manifest = tmp_path / "clips.jsonl"
    manifest.write_text('{"audio": "b.wav"}\n{"audio": "a.sound"}\n')
    for output, texts in (("a.sound", False), ("b.txt", True)):
        options = TokenizeOptions(manifest=str(manifest), output=tmp_path / output)
        with pytest.raises(OptionError, match="is an input and an output"):
            list(Inputs.of(options, texts).clips())
    beside = TokenizeOptions(manifest=str(manifest), output=tmp_path / "b.txt")
    assert len(list(Inputs.of(beside).clips())) == 2
