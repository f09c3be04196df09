from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pairs import BadPair, Pair
from spiritlm_cli.evaluation.story_tables import is_story_table, read_story_table
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

QUIZ = (
    "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,"
    "RandomFifthSentenceQuiz2,AnswerRightEnding"
)


def texts(entry: Pair | BadPair) -> tuple[str | None, str, str]:
    assert isinstance(entry, Pair)
    given = entry.given.text if isinstance(entry.given, Sequence) else None
    good, bad = (side.content.text for side in entry.candidates if isinstance(side.content, Sequence))
    return given, good, bad


def test_stories_of_storycloze(tmp_path: Path) -> None:
    path = tmp_path / "val.csv"
    rows = [
        's1,A.,"B, b.",C.,D.,right.,wrong.,1',
        "s2,A.,B.,C.,D.,wrong.,right.,2",
        "s3,A.,B.,C.,D.,x.,y.,3",
        "s4,A.,,C.,D.,x.,y.,1",
    ]
    path.write_text("\n".join([QUIZ, *rows]) + "\n")
    assert is_story_table(path)
    *bad, first, second = read_story_table(path)
    assert texts(first) == ("A. B, b. C. D.", " right.", " wrong.")
    assert texts(second) == ("A. B. C. D.", " right.", " wrong.")
    assert (first.id, first.set) == ("s1/T→T", "T→T")
    assert isinstance(first, Pair)
    # the space is a part of the ending
    assert first.good[0].content == Sequence.of([TextSpan(" right.")])
    reasons = [str(entry.error) for entry in bad if isinstance(entry, BadPair)]
    assert reasons == [
        f"{path}: line 4: AnswerRightEnding is '3', not 1 or 2",
        f"{path}: line 5: InputSentence2 is not text: ''",
    ]


def test_stories_of_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    rows = [
        "1,Story.,prompt,correct", "1,right.,end,correct", "1,Story.,prompt,incorrect", "1,wrong.,end,incorrect",
        "2,Whole right.,story,correct", "2,Whole wrong.,story,incorrect",
        "3,x.,story,correct", "4,x.,story,maybe", "1,Other story.,prompt,correct",
    ]  # fmt: skip
    path.write_text("\n".join(["pair_id,text,type,correctness", *rows]) + "\n")
    *bad, first, second = read_story_table(path)
    assert texts(first) == ("Story.", " right.", " wrong.")
    assert texts(second) == (None, "Whole right.", "Whole wrong.")
    reasons = [str(entry.error) for entry in bad if isinstance(entry, BadPair)]
    assert reasons == [
        f"{path}: line 9: correctness is 'maybe', not correct or incorrect",
        f"{path}: line 10: the prompt text of '1' was there before, with another text",
        f"{path}: line 8: the incorrect ending of '3' is missing",
    ]


def test_other_tables(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("id,text\n1,a\n")
    assert not is_story_table(path)
    with pytest.raises(ManifestError, match=r"not a table of stories; its columns should be pair_id, text"):
        read_story_table(path)
    path.write_text("")
    assert not is_story_table(path)
    path.write_text(QUIZ + "\n")
    with pytest.raises(ManifestError, match="has no stories"):
        read_story_table(path)
