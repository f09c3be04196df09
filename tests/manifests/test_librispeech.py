from pathlib import Path

import pytest

from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.librispeech import is_librispeech, librispeech_set, scan_librispeech


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for chapter, lines in {
        "test-clean/1089/134686": "1089-134686-0000 HE HOPED THERE WOULD BE STEW\n1089-134686-0001 STUFF IT\n",
        "test-clean/121/121726": "121-121726-0000 ALSO A POPULAR CONTRIVANCE\n",
        "test-other/1688/142285": "1688-142285-0000 THERE'S IRON THEY SAY\n",
    }.items():
        folder = tmp_path / "LibriSpeech" / chapter
        folder.mkdir(parents=True)
        speaker, number = chapter.split("/")[1:]
        (folder / f"{speaker}-{number}.trans.txt").write_text(lines)
        for line in lines.splitlines():
            (folder / f"{line.split()[0]}.flac").touch()
    return tmp_path / "LibriSpeech"


def test_scan_librispeech(corpus: Path) -> None:
    clips = [clip for clip in scan_librispeech(corpus) if isinstance(clip, Clip)]
    assert [(clip.id, clip.speaker, librispeech_set(clip)) for clip in clips] == [
        ("1089-134686-0000", "1089", "test-clean"),
        ("1089-134686-0001", "1089", "test-clean"),
        ("121-121726-0000", "121", "test-clean"),
        ("1688-142285-0000", "1688", "test-other"),
    ]
    assert clips[0].text == "HE HOPED THERE WOULD BE STEW"
    assert clips[0].source == corpus / "test-clean/1089/134686/1089-134686-0000.flac"
    for part, number in (("test-clean", 3), ("test-clean/1089", 2), ("test-clean/121/121726", 1)):
        assert len(list(scan_librispeech(corpus / part))) == number
    assert is_librispeech(corpus)
    assert not is_librispeech(corpus / "none")


def test_scan_librispeech_names_what_is_wrong(corpus: Path) -> None:
    folder = corpus / "test-clean/121/121726"
    (folder / "121-121726-0009.flac").touch()
    with (folder / "121-121726.trans.txt").open("a") as file:
        file.write(
            "../../1089/134686/1089-134686-0000 A PATH\n121-121726-0001 GONE\n121-121726-0000 AGAIN\n\n121-x\n"
        )
    bad = [str(clip.error) for clip in scan_librispeech(folder) if isinstance(clip, BadClip)]
    assert [message.partition("trans.txt: ")[2] or message for message in bad] == [
        "line 2: begins with '../../1089/134686/1089-134686-0000', not with SPEAKER-CHAPTER-UTTERANCE",
        "line 3: there is no audio file 121-121726-0001.flac",
        "line 4: duplicate id '121-121726-0000'",
        "line 6: begins with '121-x', not with SPEAKER-CHAPTER-UTTERANCE",
        f"{folder}/121-121726-0009.flac: has no line in 121-121726.trans.txt",
    ]


def test_librispeech_set_of_other_clips() -> None:
    for source in ("a.wav", "/1-2-3.flac", "set/5/2/1-2-3.flac", "-"):
        assert librispeech_set(Clip("a", source)) is None
