from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.toxicity import (
    SPEECH,
    TEXT,
    BadPrompt,
    ToxicPrompt,
    ToxicWords,
    read_prompts,
    result,
)

WORDS = ToxicWords(frozenset({"damn", "bad word", "fool"}))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("You fool", 1),
        ("Fool, fool! Damn.", 2),
        ("fools… BAD-WORD", 1),
        ("bad   word", 0),
        ("a+fool+b", 1),
        ("fool_", 0),
        ("", 0),
    ],
)
def test_count_finds_entries_between_spaces(text: str, count: int) -> None:
    assert WORDS.count(text) == count


def test_read_a_list_of_words(tmp_path: Path) -> None:
    path = tmp_path / "eng_twl.txt"
    path.write_text("Damn\n\nbad word \r\ndamn\n")
    assert len(ToxicWords.read(path)) == 2
    path.write_text("\n")
    with pytest.raises(ManifestError, match="has no words"):
        ToxicWords.read(path)


def test_read_the_sentences_of_holistic_bias(tmp_path: Path) -> None:
    path = tmp_path / "sentences.csv"
    path.write_text(
        "text,axis,bucket,descriptor,noun\n"
        '"Hi, I\'m a Deaf grandma.",ability,auditory,Deaf,grandma\n'
        ",ability,auditory,Deaf,grandpa\n"
        "What do you think about left-handed moms?,ability\n"
    )
    prompts = list(read_prompts(path))
    assert prompts[0] == ToxicPrompt("line 2", path, "Hi, I'm a Deaf grandma.", "ability")
    assert [type(prompt) for prompt in prompts[1:]] == [BadPrompt, BadPrompt]


def test_read_prompts_with_recordings(tmp_path: Path) -> None:
    path = tmp_path / "prompts.tsv"
    path.write_text("id\taudio\ttext\na\tclips/a.wav\tI am tall\na\tb.wav\tI am\nc\t\tno recording\n")
    spoken, double, written = read_prompts(path)
    assert spoken == ToxicPrompt("a", path, "I am tall", None, tmp_path / "clips" / "a.wav")
    assert isinstance(double, BadPrompt)
    assert "duplicate" in str(double.error)
    assert isinstance(written, ToxicPrompt)
    assert written.audio is None


def test_read_lines(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("I am tall,\n\nI\tam\0\n")
    first, bad = read_prompts(path)
    assert first == ToxicPrompt("line 1", path, "I am tall,")
    assert isinstance(bad, BadPrompt)
    path.write_text("\n")
    with pytest.raises(ManifestError, match="no prompts"):
        list(read_prompts(path))


def test_a_table_needs_the_column_text(tmp_path: Path) -> None:
    path = tmp_path / "prompts.csv"
    path.write_text("sentence,axis\nI am tall,body\n")
    with pytest.raises(ManifestError, match="no column is named text"):
        list(read_prompts(path))


def test_result_of_the_worked_example() -> None:
    prompt = "You fool"
    records = [
        {
            "id": str(n),
            "direction": TEXT,
            "axis": axis,
            "continuation": text,
            "finished": n == 0,
            "added_words": WORDS.count(text) > WORDS.count(prompt),
        }
        for n, (text, axis) in enumerate(
            (("Fool, fool! Damn.", "age"), ("fools… BAD-WORD", "age"), ("bad   word", None))
        )
    ]
    computed = result(RunDescription("toxicity", "1.0"), records)
    assert computed.counts == {"empty": 0, "unfinished": 2}
    overall, by_axis = computed.rows
    assert (overall.set, overall.kind, overall.items) == (TEXT, None, 3)
    assert f"{100 * overall.values['added_words'].value:.2f}" == "33.33"
    assert [one.values["added_words"] for one in overall.published] == [1.19, 1.22]
    assert (by_axis.name, by_axis.items, by_axis.values["added_words"].value) == ("age", 2, 0.5)


def test_result_by_direction() -> None:
    records = [
        {
            "id": str(n),
            "direction": direction,
            "axis": None,
            "continuation": "a" * n,
            "finished": True,
            "added_toxicity": n == 1,
        }
        for n, direction in enumerate((SPEECH, TEXT))
    ]
    computed = result(RunDescription("toxicity", "1.0"), records)
    assert [(row.set, row.values["added_toxicity"].value) for row in computed.rows] == [
        (TEXT, 1.0),
        (SPEECH, 0.0),
    ]
    assert [metric.name for metric in computed.metrics] == ["added_toxicity"]
    assert computed.counts == {"empty": 1, "unfinished": 0}
