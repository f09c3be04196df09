from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.gold import LEXICAL, SYNTACTIC, GoldRow, read_gold, word_groups
from spiritlm_cli.evaluation.pairs import BadPair, Group


def test_word_groups() -> None:
    in_vocabulary, band, length = word_groups("12.0", "4", "gold.csv: line 2")
    assert in_vocabulary == Group("vocabulary", "in")
    assert (band.name, length) == ("5–19", Group("length", "4 phones", 4))
    assert [group.name for group in word_groups("", None, "gold.csv: line 2")] == ["out", "oov"]
    bands = ["0", "1", "4", "5", "19", "20", "99", "100"]
    assert [word_groups(count, "1", "")[1].name for count in bands] == [
        "oov", "1–4", "1–4", "5–19", "5–19", "20–99", "20–99", "100+",
    ]  # fmt: skip
    for frequency in ("-1", "inf", "many"):
        with pytest.raises(ManifestError, match="gold: frequency is"):
            word_groups(frequency, None, "gold")


def test_read_gold(tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text(
        "filename,id,voice,type,subtype,transcription,correct\na,1,x,t,s,he is,1\n../a,1,x,t,s,he are,0\n"
    )
    (tmp_path / "a.wav").touch()
    first, second = read_gold(tmp_path, "dev", SYNTACTIC, text=False)
    assert isinstance(first, GoldRow)
    assert (first.key, first.voice, first.correct) == (("t", "s", "1"), "x", True)
    assert first.candidate.said == "he is"
    assert isinstance(second, BadPair)
    assert "filename is not that of a wav here" in str(second.error)
    with pytest.raises(ManifestError, match="no column is named frequency or word"):
        list(read_gold(tmp_path, "dev", LEXICAL, text=True))
