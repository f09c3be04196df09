import pytest

from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.model import LanguageModel

NAMES = ["spirit-lm-base-7b", "spirit-lm-expressive-7b"]
TEXT, SPEECH = 32000, 32001  # the markers


@pytest.mark.parametrize("name", NAMES)
def test_allowed_tokens_of_each_state(models: dict[str, LanguageModel], name: str) -> None:
    vocabulary = models[name].vocabulary
    logits = models[name].network.config.vocab_size
    assert logits > vocabulary.size, "there are padded ids"
    grammar = Grammar(vocabulary, logits)

    def ids(state: State, allow_end: bool = True) -> set[int]:
        return set(grammar.allowed(state, allow_end).nonzero()[:, 0].tolist())

    end = {vocabulary.eos_id}
    text = set(range(4, 32000))  # after <unk>, <s>, </s> and the byte 0
    units = set(range(32002, vocabulary.size))
    expected = {
        State.TEXT: text,
        State.SPEECH: units,
        State.TEXT_OR_MARKER: text | {SPEECH},
        State.SPEECH_OR_MARKER: units | {TEXT},
        State.START: {TEXT, SPEECH},
    }
    for state, content in expected.items():
        assert ids(state) == content | end
        assert ids(state, allow_end=False) == content


def test_initial_and_next_states(models: dict[str, LanguageModel]) -> None:
    grammar = models[NAMES[0]].grammar
    assert grammar.initial_state("text", "speech", False) is State.TEXT
    assert grammar.initial_state("speech", None, False) is State.SPEECH
    assert grammar.initial_state("any", None, False) is State.START
    assert grammar.initial_state("any", "text", True) is State.TEXT
    assert grammar.initial_state("any", "speech", True) is State.SPEECH
    assert grammar.initial_state("any", "speech", False) is State.SPEECH_OR_MARKER
    steps = [
        (TEXT, State.TEXT),
        (100, State.TEXT_OR_MARKER),
        (101, State.TEXT_OR_MARKER),
        (SPEECH, State.SPEECH),
    ]
    steps += [(32005, State.SPEECH_OR_MARKER), (TEXT, State.TEXT)]
    state = State.START
    for token, expected in steps:
        assert grammar.allowed(state)[token]
        state = grammar.next_state(state, token, "any")
        assert state is expected
    assert grammar.next_state(State.SPEECH, 32005, "speech") is State.SPEECH
