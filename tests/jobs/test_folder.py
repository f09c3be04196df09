import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import AlignmentError, ResumeError
from spiritlm_cli.jobs.folder import OutputFolder
from spiritlm_cli.jobs.options import AlignOptions


def options(folder: Path, *, resume: bool = False, aligner: str = "pocketsphinx") -> AlignOptions:
    return AlignOptions(audio=(".",), output=f"{folder}/", resume=resume, aligner=aligner)


def test_claim_gives_each_id_one_file(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path, ".json", None, resume=False)
    assert folder.claim("a/b", AlignmentError) == tmp_path / "a%2Fb.json"
    with pytest.raises(AlignmentError, match="another input of that id"):
        folder.claim("A/b", AlignmentError)


def test_has_is_what_an_interrupted_run_has_written(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert not OutputFolder(tmp_path, ".json", None, resume=False).has("a")
    folder = OutputFolder(tmp_path, ".json", None, resume=True)
    assert [folder.has(name) for name in ("a", "b", "a")] == [True, False, False]


def test_the_journal_stays_until_the_run_ends_well(tmp_path: Path) -> None:
    journal = tmp_path / "out" / ".part.json"
    folder, _ = OutputFolder.open(
        "align", options(tmp_path / "out", aligner="ctc/"), tmp_path / "out", ".json"
    )
    with pytest.raises(AlignmentError), folder:
        raise AlignmentError("stop")
    assert journal.is_file()
    with pytest.raises(ResumeError, match="--aligner is other/ now and was ctc/"):
        OutputFolder.open(
            "align", options(tmp_path / "out", resume=True, aligner="other/"), tmp_path / "out", ".json"
        )
    folder, continued = OutputFolder.open(
        "align", options(tmp_path / "out", resume=True), tmp_path / "out", ".json"
    )
    assert continued.aligner == "ctc/"
    with folder:
        assert journal.is_file()
    assert not journal.exists()


def test_parts_of_a_manifest_can_be_written_to_one_folder(tmp_path: Path) -> None:
    def shard(part: int, *, resume: bool = False) -> AlignOptions:
        return replace(options(tmp_path, resume=resume), shard=(part, 2))

    first, _ = OutputFolder.open("align", shard(0), tmp_path, ".json")
    with pytest.raises(AlignmentError), first:
        raise AlignmentError("stop")
    _, continued = OutputFolder.open("align", shard(1, resume=True), tmp_path, ".json")
    assert continued == shard(1, resume=True)


def test_a_folder_that_another_run_writes_with_other_options_is_refused(tmp_path: Path) -> None:
    first, _ = OutputFolder.open("align", options(tmp_path, aligner="ctc/"), tmp_path, ".json")
    second, _ = OutputFolder.open("align", options(tmp_path, aligner="ctc/"), tmp_path, ".json")
    other, _ = OutputFolder.open("align", options(tmp_path, aligner="other/"), tmp_path, ".json")
    message = rf"another run \(process {os.getpid()} on {socket.gethostname()}\) is writing to it"
    with first:
        with second, pytest.raises(ResumeError, match=message), other:
            pass
        with pytest.raises(ResumeError, match=message), other:
            pass
    with other:
        pass


def test_leftovers_in_the_folder_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".tmp-spiritlm-0123abcd.wav").touch()
    with OutputFolder(tmp_path, ".wav", None, resume=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_input_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    given = replace(options(tmp_path), audio=(), manifest=str(tmp_path / "a.json"))
    folder, _ = OutputFolder.open("align", given, tmp_path, ".json")
    with pytest.raises(AlignmentError, match="is an input"):
        folder.claim("a", AlignmentError)
