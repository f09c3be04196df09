"""Sequences to the language model's token ids and back."""

import itertools
import re
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as TypingSequence
from pathlib import Path

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, SpeechSpan, TextSpan, modality
from spiritlm_cli.tokens.units import Kind, Unit

_UNIT = re.compile(r"\[(Hu|Pi|St)(0|[1-9][0-9]*)\]")
_MARKERS: dict[Modality, str] = {"text": "[Text]", "speech": "[Speech]"}
# sentencepiece finds these names in text too. Where text spells one it is cut after the bracket, so that each
# part is encoded as the plain text that it is.
_INSIDE_NAME = re.compile(r"(?<=\[)(?=(?:Text|Speech|(?:Hu|Pi|St)[0-9]+)\])")
_SPACE = "\u2581"
# Merged into the tokenizer's NormalizerSpec (in protobuf a later field wins): no space is put before text,
# where LLaMA's tokenizer would, for text here follows its marker; and none is taken away.
_VERBATIM = b"\x1a\x04\x18\x00\x20\x00"


class Vocabulary:
    """A `tokenizer.model` with text pieces, the two markers and the units, each of them found by name.

    size: how many ids it has. start, end: the ids of `<s>` and `</s>`. markers: the ids of `[Text]` and
    `[Speech]`. text_ids: all ids that stand for text; nul: the one of them for the byte 0.
    unit_ids: the id of each unit. unit_counts: how many units of each kind it has, numbered from 0.
    """

    def __init__(self, model: bytes, source: str | Path = "tokenizer.model") -> None:
        """model: the bytes of a sentencepiece model; source: what errors call it.

        Raises CheckpointError where it is not one, or where a name is missing.
        """
        import sentencepiece

        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model + _VERBATIM)
        except RuntimeError:
            raise CheckpointError(f"{source}: cut off or not a sentencepiece model") from None
        self.size: int = self._processor.vocab_size()
        self._pieces: list[str] = self._processor.id_to_piece(list(range(self.size)))
        ids = {piece: token for token, piece in enumerate(self._pieces)}
        if missing := [name for name in ("<s>", "</s>", *_MARKERS.values()) if name not in ids]:
            raise CheckpointError(f"{source}: has no {', '.join(missing)}")
        self.start = ids["<s>"]
        self.end = ids["</s>"]
        self.markers: dict[Modality, int] = {kind: ids[name] for kind, name in _MARKERS.items()}

        units = ((token, _UNIT.fullmatch(piece)) for token, piece in enumerate(self._pieces))
        self._units = {token: Unit(Kind(match[1]), int(match[2])) for token, match in units if match}
        self.unit_ids = {unit: token for token, unit in self._units.items()}
        self.unit_counts = {kind: sum(unit.kind is kind for unit in self.unit_ids) for kind in Kind}
        _check_units(self.unit_ids, self.unit_counts, source)

        self._bytes = {
            ids[name]: bytes([value]) for value in range(256) if (name := f"<0x{value:02X}>") in ids
        }
        if len(self._bytes) < 256:
            raise CheckpointError(f"{source}: has {len(self._bytes)} of the 256 pieces <0x00> to <0xFF>")
        self.nul = ids["<0x00>"]
        self._byte_ids = {spelled[0]: token for token, spelled in self._bytes.items()}
        not_text = {*self.markers.values(), *self._units}
        every = list(range(self.size))
        for is_other in (self._processor.is_control, self._processor.is_unknown, self._processor.is_unused):
            not_text.update(itertools.compress(every, is_other(every)))
        self.text_ids = [token for token in every if token not in not_text]
        self._text = frozenset(self.text_ids)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a `tokenizer.model`. Raises CheckpointError."""
        try:
            return cls(path.read_bytes(), path)
        except OSError as error:
            raise CheckpointError(f"{path}: {'missing' if not path.exists() else error.strerror}") from None

    def encode(self, sequence: Sequence, then: Modality | None = None) -> list[int]:
        """`<s>`, then each span's marker and content.

        then: the kind of span that is to follow; its marker is put last unless the sequence ends in that kind
        already. Raises TokenError that names a unit that this model doesn't have, and those that it has.
        """
        ids = [self.start]
        for span in sequence.spans:
            if isinstance(span, TextSpan):
                ids.append(self.markers["text"])
                ids += self.encode_text(span.text)
            else:
                ids.append(self.markers["speech"])
                ids += [self._unit_id(unit) for unit in span.units]
        if then and then != sequence.ends_in:
            ids.append(self.markers[then])
        return ids

    def encode_after(self, given: Line, sequence: Sequence) -> tuple[list[int], list[int]]:
        """The tokens of `given`, and those of a sequence that goes on from it; text is not joined across the two.

        Where it begins with the kind that `given` ends in, or has opened, it has no marker there; a marker at the end
        of `given` for another kind is left out. Raises TokenError as `encode`.
        """
        ids = self.encode(sequence)[1:]
        first = modality(sequence.spans[0]) if sequence.spans else None
        opened = given.opens if given.opens == first else None
        if first and first == (opened or given.sequence.ends_in):
            ids = ids[1:]
        return self.encode(given.sequence, opened), ids

    def encode_text(self, text: str) -> list[int]:
        """Verbatim text alone; whatever it spells, it gives no marker, unit or end."""
        ids: list[int] = []
        for part in re.split(f"({_SPACE})", text):
            if part == _SPACE:
                # sentencepiece writes a space with this character: as itself it has to be spelled in bytes
                ids += [self._byte_ids[value] for value in _SPACE.encode()]
            else:
                for plain in _INSIDE_NAME.split(part):
                    ids += self._processor.encode(plain)
        return ids

    def decode(self, ids: Iterable[int]) -> Sequence:
        """The sequence that ids stand for; for what `encode` gives, what it was given.

        Any ids will do: a unit outside a speech span opens one, a text piece after units opens a text span;
        markers, `<s>` and `</s>` add nothing by themselves; bytes that are not UTF-8 become U+FFFD.
        Raises TokenError for an id outside the vocabulary.
        """
        spans: list[TextSpan | SpeechSpan] = []
        content = (token for token in ids if self.modality(token))
        for kind, group in itertools.groupby(content, self.modality):
            if kind == "speech":
                spans.append(SpeechSpan(tuple(map(self.unit, group))))
            else:
                spans.append(TextSpan(b"".join(map(self.text_bytes, group)).decode(errors="replace")))
        return Sequence.of(spans)

    def last_span(self, ids: TypingSequence[int]) -> tuple[Modality | None, bool]:
        """Of what kind the last span of a prompt's tokens is (None: there is none), and whether it is empty as yet."""
        last = ids[-1]
        for kind, marker in self.markers.items():
            if last == marker:
                return kind, True
        return self.modality(last), False

    def last_tokens(self, ids: TypingSequence[int], count: int) -> list[int]:
        """`<s>` and the last of a prompt's tokens, with the marker of the span that is cut: at most `count`."""
        kept = list(ids[len(ids) - count + 1 :])
        if kind := self.modality(kept[0]):
            # a marker in place of the first, unless the next is one
            kept = kept[1:] if kept[1] in self.markers.values() else [self.markers[kind], *kept[1:]]
        return [self.start, *kept]

    def modality(self, token: int) -> Modality | None:
        """What an id is content of; None for markers, `<s>`, `</s>` and others without content.

        Raises TokenError for an id outside the vocabulary.
        """
        if token in self._text:
            return "text"
        if token in self._units:
            return "speech"
        if not 0 <= token < self.size:
            raise TokenError(f"token id {token} is outside the model's vocabulary, 0 to {self.size - 1}")
        return None

    def unit(self, token: int) -> Unit:
        """The unit that an id stands for. Raises KeyError for an id of anything else."""
        return self._units[token]

    def text_bytes(self, token: int) -> bytes:
        """UTF-8 of a text id, perhaps only a part of a character."""
        return self._bytes.get(token) or self._pieces[token].replace(_SPACE, " ").encode()

    def _unit_id(self, unit: Unit) -> int:
        token = self.unit_ids.get(unit)
        if token is None:
            count = self.unit_counts[unit.kind]
            name = unit.kind.value
            known = f"[{name}0] to [{name}{count - 1}]" if count else f"no {name} units"
            raise TokenError(f"{unit}: the model has {known}")
        return token


def _check_units(ids: Mapping[Unit, int], counts: Mapping[Kind, int], source: str | Path) -> None:
    """Phonetic units there must be, and the units of a kind must be numbered from 0 without a gap."""
    if not counts[Kind.HUBERT]:
        raise CheckpointError(f"{source}: has no units, [Hu0] and on")
    for kind in Kind:
        for unit in (Unit(kind, i) for i in range(counts[kind])):
            if unit not in ids:
                raise CheckpointError(f"{source}: has no {unit}, but others of its kind")
