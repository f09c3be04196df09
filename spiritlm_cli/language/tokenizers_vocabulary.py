"""The vocabulary of a Hugging Face `tokenizer.json`, in which units and markers are tokens with a name."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.text_tokenizer import TextTokenizer, read_tokenizer, start_ids
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Modality
from spiritlm_cli.tokens.units import Kind, Unit

# A name in brackets: [Hu3], <Hu3> or <|Hu3|>.
_NAME = re.compile(r"\[(\w+)\]|<(\w+)>|<\|(\w+)\|>")
_UNIT = re.compile(r"(Hu|Un|Pi|St)(0|[1-9][0-9]{0,6})")
_KINDS = {"Hu": Kind.HUBERT, "Un": Kind.HUBERT, "Pi": Kind.PITCH, "St": Kind.STYLE}
_MODALITIES: dict[str, Modality] = {"text": "text", "speech": "speech"}


@dataclass(frozen=True)
class SpecialTokens:
    """What other files say about a tokenizer's start and end tokens.

    adds_start: whether there is a start token; None if the tokenizer decides. start: its name. end: name of the end
    token. end_ids: ids that the model's configuration gives for end tokens; those that are not special tokens of the
    tokenizer are ignored.
    """

    adds_start: bool | None = None
    start: str | None = None
    end: str | None = None
    end_ids: tuple[int, ...] = ()


class TokenizersVocabulary(Vocabulary):
    """A `tokenizer.json` with byte-level pieces, or with pieces for single bytes beside the others.

    Phonetic units are named `[Hu3]`, `<Hu3>` or `<Un3>`; pitch and style units `Pi` and `St` in the same brackets; the
    markers `[Text]`, `[TEXT]` or `<text>`, and the same with speech. All brackets may be `<|` and `|>`, too. Names are
    looked for among the added tokens first, then among all.
    """

    def __init__(
        self,
        tokenizer_json: bytes,
        source: str | Path = "tokenizer.json",
        special: SpecialTokens | None = None,
        appended: TypingSequence[str] = (),
    ) -> None:
        """source: name of the file in error messages. appended: names of tokens that get the ids after its own.

        Raises CheckpointError if it is not a `tokenizer.json`, if a name is missing or occurs twice, and if text can't
        be decoded verbatim.
        """
        special = special or SpecialTokens()
        tokenizer = read_tokenizer(tokenizer_json, source)
        ids: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        added: dict[int, Any] = tokenizer.get_added_tokens_decoder()
        size = 1 + max(ids.values(), default=-1)
        names: dict[str, int] = {}
        for name in appended:
            # as Hugging Face's tokenizers do: a token that is there already keeps its id
            names[name] = ids.get(name, size)
            size = max(size, names[name] + 1)
        if not names:
            names = {token.content: number for number, token in added.items()}
            names = names if _units(names, source) else ids
        unit_ids, marker_ids = _units(names, source), _markers(names, source)
        special_ids = {number for number, token in added.items() if token.special}
        bos_id = _start_id(tokenizer, special, ids, source)
        eos_ids = _end_ids(special, ids, special_ids, source)
        reserved = {*special_ids, *unit_ids.values(), *marker_ids.values(), *eos_ids}
        self._text_tokenizer = TextTokenizer(
            tokenizer, reserved if bos_id is None else reserved | {bos_id}, source
        )
        super().__init__(
            source,
            size,
            bos_id,
            eos_ids,
            marker_ids,
            unit_ids,
            self._text_tokenizer.text_ids,
            self._text_tokenizer.nul_ids,
        )

    def encode_text(self, text: str) -> list[int]:
        """Convert text to text ids, verbatim. Text that spells a marker, a unit or a special token stays text."""
        return self._text_tokenizer.encode(text)

    def text_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a text id, possibly a part of a character."""
        return self._text_tokenizer.text_bytes(token)


def canonical_name(name: str) -> str | None:
    """A unit as `[Hu3]`, a marker as `[Text]`, however the token is spelled; None for other tokens."""
    bare = _bare_name(name)
    if match := _UNIT.fullmatch(bare):
        return str(Unit(_KINDS[match[1]], int(match[2])))
    modality = _MODALITIES.get(bare.lower())
    return f"[{modality.capitalize()}]" if modality else None


def _bare_name(name: str) -> str:
    """A name without its brackets; empty for what is no name in brackets."""
    match = _NAME.fullmatch(name) if name[:1] in ("[", "<") else None
    return match[match.lastindex or 0] if match else ""


def _units(names: Mapping[str, int], source: str | Path) -> dict[Unit, int]:
    """The ids of the units among names. Raises CheckpointError for two ids of one unit."""
    units: dict[Unit, int] = {}
    for name, token in names.items():
        if match := _UNIT.fullmatch(_bare_name(name)):
            unit = Unit(_KINDS[match[1]], int(match[2]))
            if unit in units:
                raise CheckpointError(f"{source}: has two tokens for {unit}, one of them {name}")
            units[unit] = token
    return units


def _markers(names: Mapping[str, int], source: str | Path) -> dict[Modality, int]:
    """The ids of the two markers among names. Raises CheckpointError if one is missing or there are two of a kind."""
    found: dict[Modality, list[str]] = {"text": [], "speech": []}
    for name in names:
        if modality := _MODALITIES.get(_bare_name(name).lower()):
            found[modality].append(name)
    for modality, spellings in found.items():
        if not spellings:
            raise CheckpointError(
                f"{source}: has no marker of {modality}, [{modality.capitalize()}] or <{modality}>"
            )
        if len(spellings) > 1:
            raise CheckpointError(f"{source}: has several markers of {modality}: {', '.join(spellings)}")
    return {modality: names[spellings[0]] for modality, spellings in found.items()}


def _start_id(
    tokenizer: Any, special: SpecialTokens, ids: Mapping[str, int], source: str | Path
) -> int | None:
    """The id of the start token, None if there is none. Raises CheckpointError for several, and for an unknown name."""
    starts = start_ids(tokenizer, source)
    if special.adds_start is False:
        return None
    if special.adds_start and not starts and special.start is not None:
        starts = [_id_of(special.start, ids, source)]
    if len(starts) > 1:
        raise CheckpointError(f"{source}: puts {len(starts)} tokens before text; only one is supported")
    return starts[0] if starts else None


def _end_ids(
    special: SpecialTokens, ids: Mapping[str, int], special_ids: Iterable[int], source: str | Path
) -> list[int]:
    """The ids of the end tokens, without duplicates."""
    named = [] if special.end is None else [_id_of(special.end, ids, source)]
    return list(dict.fromkeys([*named, *(token for token in special.end_ids if token in special_ids)]))


def _id_of(name: str, ids: Mapping[str, int], source: str | Path) -> int:
    if name not in ids:
        raise CheckpointError(f"{source}: has no {name}, which its configuration names")
    return ids[name]
