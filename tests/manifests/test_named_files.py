from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.named_files import NamedFiles

FILES = NamedFiles({"a": 1, "s/b": 2, "s/c": 3, "t/c": 4, "x%2Fy": 5}, Path("folder"))


@pytest.mark.parametrize(("name", "file"), [("a", 1), ("s/b", 2), ("b", 2), ("t/c", 4), ("x/y", 5)])
def test_files_are_found_by_path_by_name_and_by_id(name: str, file: int) -> None:
    assert FILES[name] == file


def test_unknown_and_ambiguous_names_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"folder: several files have the name 'c': s/c, t/c"):
        FILES["c"]
    for name in ("../a", "z", ""):
        with pytest.raises(ManifestError, match="folder: there is no file of the name"):
            FILES[name]


def test_audio_files_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no sound files"):
        NamedFiles.audio(tmp_path)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.flac").touch()
    (tmp_path / "s" / "a.txt").touch()
    clip = NamedFiles.audio(tmp_path)["a"]
    assert (clip.id, clip.source) == ("s/a", tmp_path / "s" / "a.flac")
    (tmp_path / "s" / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    files = NamedFiles.audio(tmp_path)
    assert files["b"].source == tmp_path / "b.wav"
    with pytest.raises(ManifestError, match=r"a\.wav: would have the id of .*a\.flac"):
        files["a"]
