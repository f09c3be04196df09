"""The vocabulary of slamkit's language models of speech alone: no text, no markers."""

from pathlib import Path

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.units import Kind, Unit

_START_AND_END = 1
_FIRST_UNIT = 2


class SpeechVocabulary(Vocabulary):
    """Id 0 pads, id 1 begins and ends a sequence, and phonetic unit u has id u + 2."""

    def __init__(self, units: int, source: str | Path) -> None:
        """units: number of phonetic units."""
        super().__init__(
            source,
            size=units + _FIRST_UNIT,
            bos_id=_START_AND_END,
            eos_ids=[_START_AND_END],
            marker_ids={},
            unit_ids={Unit(Kind.HUBERT, index): index + _FIRST_UNIT for index in range(units)},
        )

    def encode_text(self, text: str) -> list[int]:
        """Raises TokenError: there is no text."""
        raise TokenError("the language model has speech units alone: it can't read or generate text")

    def text_bytes(self, token: int) -> bytes:
        """Raises KeyError: no id is text."""
        raise KeyError(token)
