import pytest

from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.model import LanguageModel

NAMES = ["spirit-lm-base-7b", "spirit-lm-expressive-7b"]
TEXT, SPEECH = 32000, 32001  # the markers


@pytest.mark.parametrize("name", NAMES)
def test_what_each_state_allows(models: dict[str, LanguageModel], name: str) -> None:
    vocabulary = models[name].vocabulary
    logits = models[name].network.config.vocab_size
    assert logits > vocabulary.size, "there are padded ids"
    grammar = Grammar(vocabulary, logits)

    def ids(state: State, held: bool = False) -> set[int]:
        return set(grammar.allowed(state, held).nonzero()[:, 0].tolist())

    end = {vocabulary.end}
    text = set(range(4, 32000))  # after <unk>, <s>, </s> and the byte 0
    units = set(range(32002, vocabulary.size))
    expected = {
        State.TEXT: text,
        State.SPEECH: units,
        State.FREE_TEXT: text | {SPEECH},
        State.FREE_SPEECH: units | {TEXT},
        State.START: {TEXT, SPEECH},
    }
    for state, content in expected.items():
        assert ids(state) == content | end
        assert ids(state, held=True) == content


def test_states_after_prompts_and_tokens(models: dict[str, LanguageModel]) -> None:
    grammar = models[NAMES[0]].grammar
    assert grammar.start("text", "speech", False) is State.TEXT
    assert grammar.start("speech", None, False) is State.SPEECH
    assert grammar.start("any", None, False) is State.START
    assert grammar.start("any", "text", True) is State.TEXT
    assert grammar.start("any", "speech", True) is State.SPEECH
    assert grammar.start("any", "speech", False) is State.FREE_SPEECH
    steps = [(TEXT, State.TEXT), (100, State.FREE_TEXT), (101, State.FREE_TEXT), (SPEECH, State.SPEECH)]
    steps += [(32005, State.FREE_SPEECH), (TEXT, State.TEXT)]
    state = State.START
    for token, expected in steps:
        assert grammar.allowed(state)[token]
        state = grammar.after(state, token, "any")
        assert state is expected
    assert grammar.after(State.SPEECH, 32005, "speech") is State.SPEECH
