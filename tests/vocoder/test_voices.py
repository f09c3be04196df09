"""Speakers and styles by name and index."""

from dataclasses import replace
from pathlib import Path

import pytest
from vocoder_fixtures import CONFIG

from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.vocoder.voices import Voice, Voices

BASE = replace(CONFIG, num_f0_tokens=0, num_style_tokens=0, multistyle="multi", num_styles=3, model_in_dim=12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "speakers.txt").write_text("ann\nbob\n")
    (tmp_path / "styles.txt").write_text("calm\nloud\n\n3\n")
    return tmp_path


def test_voices_read_names(folder: Path) -> None:
    voices = Voices.read(folder, BASE)
    assert (voices.speakers, voices.styles) == (("ann", "bob"), ("calm", "loud", "3"))
    assert Voices.read(folder, CONFIG).styles == ()
    assert Voices.read(folder, replace(BASE, multispkr=None, num_speakers=0, model_in_dim=8)).speakers == ()


def test_voices_read_names_the_file_at_fault(folder: Path) -> None:
    (folder / "speakers.txt").write_text("ann\n")
    with pytest.raises(CheckpointError, match=r"speakers\.txt: 1 names, expected 2"):
        Voices.read(folder, BASE)
    (folder / "speakers.txt").unlink()
    with pytest.raises(CheckpointError, match=r"speakers\.txt: missing"):
        Voices.read(folder, BASE)
    (folder / "speakers.txt").write_bytes(b"\xff\n")
    with pytest.raises(CheckpointError, match=r"speakers\.txt: .*utf-8"):
        Voices.read(folder, BASE)


def test_voices_select(folder: Path) -> None:
    base, expressive = Voices.read(folder, BASE), Voices.read(folder, CONFIG)
    assert base.select() == Voice(1, 2)
    assert base.select("bob", "loud") == base.select(1, "1") == Voice(1, 1, True)
    # A name that looks like an index is a name.
    assert base.style_index("3") == 2
    assert expressive.select(style=0) == Voice(1, 0, True)
    assert expressive.select() == Voice(1, 2)
    stated = Voices(replace(CONFIG, default_speaker=0, default_style=1), ("ann", "bob"))
    assert stated.select() == Voice(0, 1)
    assert Voices(replace(CONFIG, multispkr=None, num_speakers=0, model_in_dim=12)).speaker_index(None) == 0


@pytest.mark.parametrize("speaker", ["nobody", 2, -1, "2", "-1", "²", ""])
def test_voices_speaker_index_refuses(folder: Path, speaker: int | str) -> None:
    with pytest.raises(SpiritLMError, match=r"no speaker .*: this vocoder has 0 to 1 \(ann, bob\)"):
        Voices.read(folder, BASE).speaker_index(speaker)


@pytest.mark.parametrize("style", [3, "st", "calm"])
def test_voices_style_index_refuses(folder: Path, style: int | str) -> None:
    with pytest.raises(SpiritLMError, match=f"no style {style}: this vocoder has 0 to 2$"):
        Voices.read(folder, CONFIG).style_index(style)


def test_read_refuses_what_is_no_list_of_names(tmp_path: Path) -> None:
    (tmp_path / "speakers.txt").symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=r"speakers\.txt: is a pipe or a device"):
        Voices.read(tmp_path, CONFIG)


def test_describe_lists_speakers_and_styles(folder: Path) -> None:
    (folder / "speakers.txt").write_text("ann\nbob\x1b[31m\n")
    assert Voices.read(folder, BASE).describe().splitlines() == [
        "speakers",
        "  0  ann",
        "  1  bob?[31m  (default)",
        "styles",
        "  0  calm",
        "  1  loud",
        "  2  3  (default)",
    ]
    assert Voices.read(folder, CONFIG).describe().splitlines()[-1].endswith("where a line has none")


def test_voices_of_a_checkpoint() -> None:
    assert "  2  af_heart  (default)" in Voices.of_checkpoint("nano", expressive=True).describe().splitlines()
