import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.discovery import find_clips, read_paths


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_find_clips_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "b.wav", "a/x.y.FLAC")
    assert list(find_clips(["b.wav", "./a/x.y.FLAC", "none.mp3", "-", "notes.txt"])) == [
        Clip("b", Path("b.wav")),
        Clip("a/x.y", Path("a/x.y.FLAC")),
        Clip("none", Path("none.mp3")),
        Clip("stdin", "-"),
        Clip("notes.txt", Path("notes.txt")),
    ]


def test_find_clips_of_a_folder(tmp_path: Path) -> None:
    touch(
        tmp_path, "z.wav", "b.mp3", "sub/deep/c.OPUS", "sub/a.flac", "notes.txt", ".hidden.wav", ".git/x.wav"
    )
    clips = list(find_clips([str(tmp_path)]))
    assert [clip.id for clip in clips] == ["b", "z", "sub/a", "sub/deep/c"]
    assert clips[3].source == tmp_path / "sub/deep/c.OPUS"


def test_named_pipes_in_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "file.wav").touch()
    (tmp_path / "gone.wav").symlink_to("nothing")
    assert [clip.id for clip in find_clips([str(tmp_path)])] == ["file", "gone"]


def test_ids_of_unusual_file_paths(tmp_path: Path) -> None:
    (tmp_path / "a\tb\n.wav").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")).write_bytes(b"")
    assert [clip.id for clip in find_clips([str(tmp_path)])] == ["a\ufffdb\ufffd", "\ufffd"]


def test_a_file_with_the_id_of_another_costs_its_own_line(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "a.flac", "b.wav", "empty/notes.txt")
    first, bad, last, empty = find_clips([str(tmp_path), str(tmp_path / "empty")])
    assert (first, last) == (Clip("a", tmp_path / "a.flac"), Clip("b", tmp_path / "b.wav"))
    assert isinstance(bad, BadClip)
    assert (bad.id, bad.source) == ("a", tmp_path / "a.wav")
    assert re.search(r"/a\.wav: would have the id of .*a\.flac, 'a'", str(bad.error))
    assert isinstance(empty, BadClip)
    assert "no sound files in this folder" in str(empty.error)
    assert empty.id == f"{tmp_path}/empty"[1:]


def ids(*names: str | Path) -> list[str]:
    """The ids of files that are named as arguments and in a list, which have to agree."""
    given = list(map(str, names))
    listed = read_paths(io.BytesIO("\0".join(given).encode()), nul=True)
    first, second = ([clip.id for clip in find_clips(source)] for source in (given, listed))
    assert first == second
    return first


def test_ids_are_the_same_however_the_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "inside/a/1.wav", "inside/b/2.wav", "other/c/3.wav", "other/d.wav")
    inside, other = tmp_path / "inside", tmp_path / "other"
    monkeypatch.chdir(inside)
    expected = ["a/1", "b/2"]
    assert ids(".") == ids(inside) == expected
    assert ids("a/1.wav", "b/2.wav") == ids("./a/1.wav", "b/../b/2.wav") == expected
    assert ids(inside / "a/1.wav", inside / "b/2.wav") == ids("../inside/a/1.wav", "b/2.wav") == expected
    # One file at a time, as the last of an odd number with `xargs -n 2`.
    assert ids("b/2.wav") == ids(inside / "b/2.wav") == ["b/2"]
    assert ids(other) == ["d", "c/3"]
    assert ids(other / "d.wav", "../other/c/3.wav") == ["d", "c/3"]
    assert ids("a/1.wav", other / "d.wav", other / "c", "-", tmp_path / "other/c/3.wav") == [
        "a/1", "d", "3", "stdin", "c/3"
    ]  # fmt: skip
    assert ids(other / "d.wav") == ["d"]
    assert not any(id.startswith("/") for id in ids("/x.wav", "/y/z.wav"))  # noqa: A001


def paths(content: bytes, nul: bool = False) -> list[str]:
    return list(read_paths(io.BytesIO(content), nul))


def test_read_paths() -> None:
    assert paths(b"a.wav\n\n sub/b c.wav \r\n \t\nlast") == ["a.wav", " sub/b c.wav ", "last"]
    assert paths(b"\xef\xbb\xbfa.wav\r\nb.wav\r\n") == ["a.wav", "b.wav"]
    assert paths(b"a.wav\0\0two\nlines\r\n\0last", nul=True) == ["a.wav", "two\nlines\r\n", "last"]
    assert paths(b"a.wav\rb.wav\r") == ["a.wav", "b.wav"]
    assert os.fsencode(paths(b"\xff\xfe.wav\n")[0]) == b"\xff\xfe.wav"
    with pytest.raises(ManifestError, match="line 2 of the list of paths contains NUL"):
        paths(b"a.wav\nb.wav\0c.wav\0")


@pytest.mark.parametrize("nul", [False, True])
@pytest.mark.parametrize("content", [b"", b"\n\n", b"\0 \0"])
def test_read_paths_of_an_empty_list(content: bytes, nul: bool) -> None:
    with pytest.raises(ManifestError, match=r"the list of paths is empty|contains NUL"):
        paths(content, nul)


@pytest.mark.parametrize("nul", [False, True])
def test_read_paths_refuses_a_path_without_end(monkeypatch: pytest.MonkeyPatch, nul: bool) -> None:
    monkeypatch.setattr("spiritlm_cli.text_files.MAX_LINE", 1000)
    with pytest.raises(ManifestError, match="a path in the list of paths is longer than"):
        paths(b"a.wav\n\0"[:: -1 if nul else 1].replace(b"\0", b"") + b"x" * 1001, nul)


@given(
    st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name and name.strip() != b""), min_size=1)
)
def test_read_paths_with_nul(names: list[bytes]) -> None:
    for content in (b"".join(name + b"\0" for name in names), b"\0".join(names)):
        assert [os.fsencode(name) for name in paths(content, nul=True)] == names


def test_read_paths_longer_than_a_chunk() -> None:
    long = [letter * 100_000 for letter in "abc"]
    assert paths("\0".join(long).encode(), nul=True) == long


@pytest.mark.parametrize("nul", [False, True])
def test_read_paths_yields_paths_as_they_arrive(nul: bool) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        result = read_paths(stream, nul)
        for name in ("one", "two"):
            os.write(writer, name.encode() + (b"\0" if nul else b"\n"))
            # The next read would wait for more.
            assert next(result) == name
        os.close(writer)
        assert list(result) == []


def test_find_clips_of_read_paths(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "sub/b.flac", "sub/c.ogg")
    clips = find_clips(read_paths(io.BytesIO(f"{tmp_path}/a.wav\n{tmp_path}/sub\n".encode())))
    assert [clip.source for clip in clips] == [
        tmp_path / "a.wav",
        tmp_path / "sub/b.flac",
        tmp_path / "sub/c.ogg",
    ]
