import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.audio.clip import Waveform
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.commands.sounds import Folder, OneFile, file_name
from spiritlm_cli.errors import AudioError

TONE = Waveform(np.full(1600, 0.5, dtype=np.float32), 16000)
IDS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\t\n\r"), min_size=1, max_size=20
)


@given(IDS)
def test_a_file_name_leads_nowhere_else(clip):
    name = file_name(clip)
    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\:*?"<>|')
    assert not name.startswith((".", " "))


@given(IDS, IDS)
def test_ids_that_differ_have_names_that_differ(one, other):
    assert (file_name(one) == file_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("clip", "name"),
    [("a-1_b.c", "a-1_b.c"), ("../etc/x", "%2E.%2Fetc%2Fx"), ("50%", "50%25"), ("é 声", "é 声")],
)
def test_what_is_harmless_stays(clip, name):
    assert file_name(clip) == name


def test_a_file_for_each_id(tmp_path):
    with Folder(tmp_path / "new", ".flac") as folder:
        folder.write([TONE], "a")
        folder.write([TONE], "b/c")
        with pytest.raises(AudioError, match=r"A\.flac is already written"):
            folder.write([TONE], "A")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.flac", "b%2Fc.flac"]


def test_one_file_takes_one_sound_or_all(tmp_path):
    path = tmp_path / "out.wav"
    with OneFile(str(path), concat=False) as file:
        file.write([TONE], "1")
        with pytest.raises(AudioError, match="--concat"):
            file.write([TONE], "2")
    assert len(read_audio(path).samples) == 1600
    with OneFile(str(path), concat=True) as file:
        file.write([TONE], "1")
        file.write([TONE], "2")
    assert len(read_audio(path).samples) == 3200


def test_no_sound_at_all_is_an_error(tmp_path):
    with (
        pytest.raises(AudioError, match="no line to decode"),
        OneFile(str(tmp_path / "out.wav"), concat=True),
    ):
        pass
