"""Pairs of continuations: what is read, what is left out, and in which order they are drawn."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from random_lm import random_lm

from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.training.preference_pairs import PairOrder, PreferencePair, read_pairs

PAIR = {"prompt": "[SPEECH][Hu1]", "chosen": "[TEXT]yes", "rejected": "[TEXT]no"}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return random_lm(0).vocabulary


def written(path: Path, *lines: Any) -> Path:
    """Write lines: a text as it is, anything else as JSON."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_read_pairs_encodes_continuations_and_their_end(tmp_path: Path, vocabulary: Vocabulary) -> None:
    speech = {"prompt": "a\t[TEXT]the cat[SPEECH]", "chosen": "[SPEECH][Hu3][Hu7]", "rejected": "[Hu9]"}
    path = written(tmp_path / "pairs.jsonl", PAIR, "", {**speech, "complete": False, "score": 3})
    first, second = read_pairs([path], vocabulary, 64)
    whole = vocabulary.encode(parse_line("[SPEECH][Hu1][TEXT]yes").sequence)
    assert first.prompt + first.chosen == [*whole, vocabulary.eos_ids[0]]
    assert first.prompt == vocabulary.encode(parse_line("[SPEECH][Hu1]").sequence)
    # the marker is a part of the prompt, and nothing follows what is not complete
    assert second.prompt == vocabulary.encode(parse_line("[TEXT]the cat").sequence, "speech")
    assert [vocabulary.decode(ids).spans[0] for ids in (second.chosen, second.rejected)] == [
        parse_line(text).sequence.spans[0] for text in ("[Hu3][Hu7]", "[Hu9]")
    ]
    assert (len(second.chosen), len(second.rejected)) == (2, 1)


def test_text_that_spells_a_unit_stays_text(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = written(tmp_path / "pairs.jsonl", {**PAIR, "chosen": "[TEXT]\\[Hu3]"})
    (pair,) = read_pairs([path], vocabulary, 64)
    assert vocabulary.decode(pair.chosen).text == "[Hu3]"


def test_read_pairs_takes_gzipped_files_and_several(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = written(tmp_path / "pairs.jsonl", PAIR)
    packed = tmp_path / "more.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    first, second = read_pairs([path, packed], vocabulary, 64)
    assert first == second


BAD: list[tuple[Any, str]] = [
    ("{", "line 2: not JSON"),
    ("[1]", "line 2: not a JSON object"),
    ('{"prompt": "a", "prompt": "b"}', "'prompt' occurs twice"),
    ({"prompt": "", "rejected": "a"}, "line 2: chosen is missing"),
    ({**PAIR, "rejected": 3}, "line 2: rejected is not text"),
    ({**PAIR, "id": "x\n1", "chosen": ""}, r"line 2 \(x.*1\): chosen ends without tokens"),
    ({**PAIR, "chosen": "[TEXT]yes[SPEECH]"}, "chosen ends without tokens"),
    ({**PAIR, "chosen": "[Hu1x]"}, "line 2: chosen: column 1: "),
    ({**PAIR, "chosen": "[Hu900]"}, r"line 2: \[Hu900\]: the model has \[Hu0\] to"),
    ({**PAIR, "chosen": "\ud800"}, "line 2: chosen has half of a surrogate pair"),
    ({**PAIR, "rejected": "[TEXT]yes"}, "line 2: chosen and rejected are equal"),
    ({**PAIR, "complete": 1}, "line 2: complete is true or false"),
    (
        {"prompt": "[TEXT]a[SPEECH]", "chosen": "[Hu1]", "rejected": "b"},
        "continuation is of another modality",
    ),
    ({**PAIR, "prompt": "[SPEECH]" + "[Hu1][Hu2]" * 32}, r"line 2: has \d+ tokens, --context is 64"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_read_pairs_leaves_out_what_can_not_be_used(
    line: Any, message: str, tmp_path: Path, vocabulary: Vocabulary, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "pairs.jsonl", PAIR, line)
    assert len(read_pairs([path], vocabulary, 64)) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert pytest.importorskip("re").search(message, said), said
    assert said.startswith(f"spiritlm: left out: {path}: line 2")


def test_read_pairs_needs_a_pair(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(ManifestError, match=r"pairs\.jsonl: there are no pairs that can be used"):
        read_pairs([written(tmp_path / "pairs.jsonl", "")], vocabulary, 64)
    with pytest.raises(ManifestError, match=r"none\.jsonl: no such file"):
        read_pairs([tmp_path / "none.jsonl"], vocabulary, 64)


def test_length_is_of_the_longer_continuation() -> None:
    assert len(PreferencePair([1, 2], [3], [4, 5])) == 4


def test_order_does_not_depend_on_the_processes() -> None:
    one, two = PairOrder(5, 0, 4, 1), PairOrder(5, 0, 2, 2)
    steps = [list(one.indices(step, 0)) for step in range(5)]
    assert steps == [[*two.indices(step, 0), *two.indices(step, 1)] for step in range(5)]
    drawn = [index for step in steps for index in step]
    epochs = [drawn[first : first + 5] for first in range(0, 20, 5)]
    assert all(sorted(epoch) == list(range(5)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 1


def test_order_refuses_the_state_of_another_number_of_pairs() -> None:
    PairOrder(5, 0, 2, 2).load_state_dict(PairOrder(5, 0, 4, 1).state_dict())
    with pytest.raises(CheckpointError, match="had 4 pairs in a step, now it has 6; resume it with"):
        PairOrder(5, 0, 3, 2).load_state_dict(PairOrder(5, 0, 4, 1).state_dict())
