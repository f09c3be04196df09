from pathlib import Path

import pytest

from spiritlm_cli.errors import AlignmentError, ResumeError
from spiritlm_cli.jobs.folder import OutputFolder
from spiritlm_cli.jobs.options import AlignOptions


def options(folder: Path, *, resume: bool = False, aligner: str = "pocketsphinx") -> AlignOptions:
    return AlignOptions(audio=("corpus/",), output=f"{folder}/", resume=resume, aligner=aligner)


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
        "align", options(tmp_path / "out", aligner="ctc/"), tmp_path / "out", ".json", None
    )
    with pytest.raises(AlignmentError), folder:
        raise AlignmentError("stop")
    assert journal.is_file()
    with pytest.raises(ResumeError, match="--aligner is other/ now and was ctc/"):
        OutputFolder.open(
            "align", options(tmp_path / "out", resume=True, aligner="other/"), tmp_path / "out", ".json", None
        )
    folder, continued = OutputFolder.open(
        "align", options(tmp_path / "out", resume=True), tmp_path / "out", ".json", None
    )
    assert continued.aligner == "ctc/"
    with folder:
        assert journal.is_file()
    assert not journal.exists()
