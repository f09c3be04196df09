import pytest

from spiritlm_cli.language.allowed import allowed_tokens
from spiritlm_cli.language.model import LanguageModel


@pytest.mark.parametrize("name", ["spirit-lm-base-7b", "spirit-lm-expressive-7b"])
def test_allowed_sets(models: dict[str, LanguageModel], name: str) -> None:
    vocabulary = models[name].vocabulary
    logits = models[name].network.config.vocab_size
    assert logits > vocabulary.size, "there are padded ids"

    def ids(to: str) -> set[int]:
        return set(allowed_tokens(vocabulary, to, logits).nonzero()[:, 0].tolist())  # type: ignore[arg-type]

    text = set(range(4, 32000))  # after <unk>, <s>, </s> and the byte 0
    units = set(range(32002, vocabulary.size))
    assert ids("speech") == units | {vocabulary.end}
    assert ids("text") == text | {vocabulary.end}
    assert ids("any") == text | units | {vocabulary.end, 32000, 32001}
