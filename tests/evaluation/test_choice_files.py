"""The JSONL of multiple-choice questions."""

import json
from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.evaluation.choice_files import BadQuestion, Question, read_choices
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.reader import parse_sequence


def write(path: Path, *objects: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def questions(path: Path) -> list[Question]:
    found = list(read_choices(path))
    assert all(isinstance(one, Question) for one in found), found
    return [one for one in found if isinstance(one, Question)]


def test_strings_are_text_verbatim(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {"id": 7, "prompt": "[Hu3] \\n", "choices": [" a", {"text": " é"}], "answer": 1, "group": "g"},
    )
    (one,) = questions(path)
    (prompt,) = one.prompt
    assert not isinstance(prompt, Clip)
    assert prompt.text == "[Hu3] \\n"
    assert (one.id, one.name, one.direction, one.group, one.answer) == ("7/T→T", "7", "T→T", "g", 1)
    assert one.bytes == (1, 2)


def test_audio_tokens_and_lists(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {
            "prompt": {"audio": "story.wav"},
            "choices": [{"audio": "sub/a.wav", "end": 2}, {"audio": "b.wav"}],
            "answer": 0,
        },
        {"prompt": "Text", "choices": [{"tokens": "[Hu1][Hu2]"}, {"tokens": "[SPEECH][Hu3]"}], "answer": 0},
        {"prompt": [{"audio": "a.wav"}, "?"], "choices": [" yes", " no"], "answer": 1},
        {"choices": [{"audio": "a.wav"}, {"audio": "b.wav"}], "answer": 1},
    )
    first, second, third, fourth = questions(path)
    assert [one.direction for one in (first, second, third, fourth)] == ["S→S", "T→S", "mixed→T", "S→S"]
    (clip,) = first.choices[0]
    assert isinstance(clip, Clip)
    assert (clip.source, clip.end) == (tmp_path / "sub" / "a.wav", 2.0)
    assert second.choices == ((parse_sequence("[Hu1][Hu2]"),), (parse_sequence("[Hu3]"),))
    assert (first.bytes, third.bytes) == (None, (3, 2))
    assert first.id == "q.jsonl:1/S→S"
    assert fourth.prompt == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "not a JSON object"),
        ('{"choices": [" a"], "answer": 0}', "choices is not a list of 2 to 1000"),
        ('{"answer": 0}', "choices is not a list"),
        ('{"choices": [" a", " b"], "answer": 2}', "answer is '2', not the index of a choice, 0 to 1"),
        ('{"choices": [" a", " b"], "answer": true}', "answer is 'True'"),
        ('{"choices": [" a", " b"], "answer": NaN}', "answer is 'nan'"),
        ('{"choices": [" a", " b"], "answer": "A"}', "answer is 'A'"),
        ('{"choices": [" a", " b"]}', "answer is 'None'"),
        ('{"choices": [" a", ""], "answer": 0}', "choice 1 is empty"),
        ('{"choices": [" a", 3], "answer": 0}', "choice 1: not a text"),
        ('{"choices": [" a", {"text": " b", "audio": "b.wav"}], "answer": 0}', "choice 1: not a text"),
        ('{"choices": [" a", {"wav": "b.wav"}], "answer": 0}', "choice 1: not a text"),
        ('{"choices": [" a", {"audio": "b.wav"}], "answer": 0}', "not all text, or all speech"),
        ('{"choices": [{"tokens": "[TEXT]a[SPEECH][Hu1]"}, " b"], "answer": 0}', "not all text"),
        ('{"choices": [{"tokens": "[Hu01]"}, " b"], "answer": 0}', "choice 0: line 1, column 1: "),
        ('{"choices": [" a\\u0000", " b"], "answer": 0}', "choice 0: holds NUL"),
        ('{"choices": [" a", " b"], "answer": 0, "id": "a\\tb"}', "id is not a name"),
        ('{"choices": [" a", " b"], "answer": 0, "group": []}', "group is not a name"),
    ],
)
def test_a_line_is_refused(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f"\n{line}\n")
    (bad,) = read_choices(path)
    assert isinstance(bad, BadQuestion)
    assert message in str(bad.error)
    assert f"{path}: line 2" in str(bad.error)
    assert bad.id == "q.jsonl:2"
