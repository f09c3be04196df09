import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.reader import parse_line, parse_sequence


@pytest.fixture(scope="module")
def vocabulary(lm: LanguageModel) -> Vocabulary:
    return lm.vocabulary


def test_of_accepts_sequences_lines_and_prompts() -> None:
    line = parse_line("a\t[TEXT]the cat")
    prompt = Prompt.of(line)
    assert prompt == Prompt(line)
    assert Prompt.of(prompt) is prompt
    assert Prompt.of(line.sequence).line.sequence == line.sequence


@pytest.mark.parametrize(
    ("line", "ends_in", "hubert"),
    [
        ("", None, []),
        ("[TEXT]a", "text", []),
        ("[SPEECH][St1][Hu3][Pi2][Hu4]", "speech", [3, 4]),
        ("[SPEECH][Hu3][TEXT]a[SPEECH][Hu5]", "speech", [5]),
        ("[SPEECH][Hu3][TEXT]", "text", [3]),
        ("[TEXT]a[SPEECH]", "speech", []),
    ],
)
def test_ends_in_and_trailing_hubert(line: str, ends_in: str | None, hubert: list[int]) -> None:
    prompt = Prompt.of(parse_line(line))
    assert prompt.ends_in == ends_in
    assert prompt.trailing_hubert == hubert


def test_encode_puts_the_examples_first(vocabulary: Vocabulary) -> None:
    examples = parse_sequence("[TEXT]a b"), parse_sequence("[SPEECH][Hu1]")
    prompt = Prompt(parse_line("[TEXT]c"), examples)
    encoded = prompt.encode(vocabulary)
    first, second = (vocabulary.encode(example)[1:] for example in examples)
    line = vocabulary.encode(prompt.line.sequence)
    assert encoded.ids == [vocabulary.bos_id, *first, *second, *line[1:]]
    assert len(encoded) == len(encoded.ids)
    assert encoded.shared_prefix == 1 + len(first) + len(second)
    assert Prompt(prompt.line).encode(vocabulary).shared_prefix == 0
    assert prompt.encode(vocabulary, "speech").ids == [*encoded.ids, vocabulary.marker_ids["speech"]]


def test_encode_names_an_unknown_unit(vocabulary: Vocabulary) -> None:
    with pytest.raises(TokenError, match=r"\[Hu501\]"):
        Prompt.of(parse_sequence("[SPEECH][Hu501]")).encode(vocabulary)


def test_check_length_says_how_many_examples_fit() -> None:
    prompt = EncodedPrompt([1, 10, 11], ([20] * 5, [21] * 5, [22] * 5))
    prompt.check_length(19)
    with pytest.raises(TokenError, match=r"18 tokens.*context of 18; 2 of its 3 examples would fit"):
        prompt.check_length(18)
    with pytest.raises(TokenError, match=r"context of 3$"):
        prompt.check_length(3)


def test_truncate_drops_examples_then_the_beginning_of_the_line(vocabulary: Vocabulary) -> None:
    line = vocabulary.encode(parse_sequence("[SPEECH][Hu1][Hu2][Hu3][Hu4]"))
    prompt = EncodedPrompt(line, ([20] * 5, [21] * 5))
    assert prompt.truncate(16, vocabulary) == prompt
    assert prompt.truncate(15, vocabulary) == EncodedPrompt(line, ([21] * 5,))
    assert prompt.truncate(6, vocabulary) == EncodedPrompt(line)
    shorter = prompt.truncate(4, vocabulary)
    assert shorter == EncodedPrompt([vocabulary.bos_id, vocabulary.marker_ids["speech"], *line[-2:]])


def test_fitting_examples_counts_the_first_ones() -> None:
    prompt = EncodedPrompt([0, 1, 2], ([3] * 4, [4] * 2, [5] * 9))
    assert [prompt.fitting_examples(length) for length in (2, 3, 6, 7, 8, 9, 17, 18)] == [
        0,
        0,
        0,
        1,
        1,
        2,
        2,
        3,
    ]
