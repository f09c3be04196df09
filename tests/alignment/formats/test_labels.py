import pytest

from spiritlm_cli.alignment.formats.labels import is_silence, is_word
from spiritlm_cli.errors import ManifestError


@pytest.mark.parametrize("label", ["", " ", "sil", "SIL", "sp", "<eps>", "[SIL]", "!SIL", "<p:>"])
def test_silences(label: str) -> None:
    assert is_silence(label, "line 1")
    assert not is_word(label)


@pytest.mark.parametrize("label", ["word", "spine", "<b>", "--"])
def test_words(label: str) -> None:
    assert not is_silence(label, "line 1")
    assert is_word(label)


@pytest.mark.parametrize("label", ["spn", "<UNK>", "[bracketed]"])
def test_unknown_words(label: str) -> None:
    with pytest.raises(ManifestError, match=r"line 1: .* stands for a word that the aligner didn't know"):
        is_silence(label, "line 1")
    assert not is_word(label)
