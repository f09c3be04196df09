"""What all vocabularies do alike, on one without and one with a start token."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text_tokenizers import byte_level, encoded

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.scoring import ScoredIds
from spiritlm_cli.language.speech_vocabulary import SpeechVocabulary
from spiritlm_cli.language.tokenizers_vocabulary import SpecialTokens, TokenizersVocabulary
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Sequence

NAMES = [f"<Un{index}>" for index in range(10)] + ["<speech>", "<text>"]
LINE = "[TEXT]one[SPEECH][Hu1][Hu2][Hu3][TEXT]two three[SPEECH][Hu4]"


def load(name: str) -> Vocabulary:
    return TokenizersVocabulary(
        encoded(byte_level(name)), special=SpecialTokens(end_ids=(1, 0)), appended=NAMES
    )


@pytest.fixture(scope="module")
def started() -> Vocabulary:
    return load("text-llama")


@pytest.fixture(scope="module")
def unstarted() -> Vocabulary:
    return load("text-qwen")


def test_encode_begins_with_the_start_token_if_there_is_one(
    started: Vocabulary, unstarted: Vocabulary
) -> None:
    assert (started.bos_id, started.start_length) == (2, 1)
    assert (unstarted.bos_id, unstarted.start_length) == (None, 0)
    sequence = parse_sequence("[SPEECH][Hu3]")
    assert started.encode(sequence) == [2, 710, 703]
    assert unstarted.encode(sequence) == [710, 703]
    assert unstarted.encode(Sequence()) == []
    assert unstarted.last_span([]) == (None, False)


def test_encode_continuation_without_a_start_token(unstarted: Vocabulary) -> None:
    sequence = parse_sequence("[SPEECH][Hu3]")
    assert unstarted.encode_continuation(parse_line("[SPEECH][Hu1]"), sequence) == ([710, 701], [703])
    assert unstarted.encode_continuation(parse_line("[SPEECH]"), sequence) == ([710], [703])
    assert unstarted.encode_continuation(parse_line("[TEXT]"), sequence) == ([], [710, 703])


@given(st.integers(3, 12))
def test_truncate_left_without_a_start_token(unstarted: Vocabulary, count: int) -> None:
    ids = unstarted.encode(parse_sequence(LINE))
    shorter = unstarted.truncate_left(ids, count)
    assert len(shorter) <= count
    markers = set(unstarted.marker_ids.values())
    assert shorter[0] in markers
    assert shorter[1] not in markers
    assert shorter[-1] == ids[-1]


def test_a_prompt_without_a_start_token_begins_with_its_examples(unstarted: Vocabulary) -> None:
    example = parse_sequence("[SPEECH][Hu3]")
    prompt = Prompt(parse_line("[SPEECH][Hu1][Hu2]"), (example, example)).encode(unstarted)
    assert prompt.ids == [710, 703, 710, 703, 710, 701, 702]
    assert prompt.shared_prefix == 4
    assert prompt.drop_examples(1).ids == [710, 703, 710, 701, 702]
    assert prompt.truncate(3, unstarted).ids == [710, 701, 702]


def test_the_first_id_is_not_scored_without_a_start_token(started: Vocabulary, unstarted: Vocabulary) -> None:
    sequence = parse_sequence("[SPEECH][Hu3][Hu4]")
    assert ScoredIds.encode(sequence, None, started) == ScoredIds([2, 710, 703, 704], 1)
    assert ScoredIds.encode(sequence, None, unstarted) == ScoredIds([710, 703, 704], 1)
    assert ScoredIds.encode(sequence, parse_line("[SPEECH]"), unstarted) == ScoredIds([710, 703, 704], 1)
    with pytest.raises(TokenError, match="empty sequence can't be scored"):
        ScoredIds.encode(Sequence(), None, unstarted)


def test_the_grammar_allows_all_end_tokens_and_no_padding(started: Vocabulary) -> None:
    assert started.eos_ids == (1, 0)
    grammar = Grammar(started, 768)
    for state in State:
        allowed = set(grammar.allowed(state).nonzero()[:, 0].tolist())
        assert {0, 1} <= allowed <= set(range(started.size)) - {2, *started.nul_ids}
        assert allowed - set(grammar.allowed(state, allow_end=False).nonzero()[:, 0].tolist()) == {0, 1}


def test_the_grammar_of_units_alone() -> None:
    grammar = Grammar(SpeechVocabulary(10, Path("config.json")), 12)
    units = set(range(2, 12))
    assert set(grammar.allowed(State.START, allow_end=False).nonzero()[:, 0].tolist()) == units
    assert set(grammar.allowed(State.SPEECH_OR_MARKER).nonzero()[:, 0].tolist()) == units | {1}
    assert grammar.next_state(State.START, 5, "any") is State.SPEECH_OR_MARKER


def test_the_grammar_without_an_end_token() -> None:
    vocabulary = TokenizersVocabulary(encoded(byte_level()), appended=NAMES)
    assert vocabulary.eos_ids == ()
    grammar = Grammar(vocabulary, vocabulary.size)
    assert (grammar.allowed(State.TEXT) == grammar.allowed(State.TEXT, allow_end=False)).all()
