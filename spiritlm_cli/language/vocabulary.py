"""Conversion between sequences and the token ids of the language model."""

import itertools
import re
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as TypingSequence
from pathlib import Path

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.files import read_limited
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, SpeechSpan, TextSpan, modality
from spiritlm_cli.tokens.units import Kind, Unit

_UNIT = re.compile(r"\[(Hu|Pi|St)(0|[1-9][0-9]{0,6})\]")
_MARKERS: dict[Modality, str] = {"text": "[Text]", "speech": "[Speech]"}
# sentencepiece also matches these names in text. Text that spells one is split after the bracket, so that each part is
# encoded as plain text.
_INSIDE_NAME = re.compile(r"(?<=\[)(?=(?:Text|Speech|(?:Hu|Pi|St)[0-9]+)\])")
_SPACE = "\u2581"
# Appended to the tokenizer's NormalizerSpec (in protobuf a later field wins): disables the space that LLaMA's tokenizer
# puts before text, because text follows its marker here, and the removal of extra white space.
_VERBATIM = b"\x1a\x04\x18\x00\x20\x00"

# A vocabulary of 256,000 pieces has 4 MB.
_MAX_BYTES = 64_000_000


class Vocabulary:
    """A `tokenizer.model` with text pieces, the two markers and the units, each identified by its name.

    size: number of ids. bos_id, eos_id: ids of `<s>` and `</s>`. marker_ids: ids of `[Text]` and `[Speech]`. text_ids:
    all ids that stand for text. nul_id: the text id of the byte 0. unit_ids: the id of each unit. unit_counts: number
    of units of each kind, which are numbered from 0.
    """

    def __init__(self, model: bytes, source: str | Path = "tokenizer.model") -> None:
        """model: the bytes of a sentencepiece model. source: its name in error messages.

        Raises CheckpointError if it is not a sentencepiece model or a name is missing.
        """
        import sentencepiece

        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model + _VERBATIM)
            self.size: int = self._processor.vocab_size()
            self._pieces: list[str] = self._processor.id_to_piece(list(range(self.size)))
        except (RuntimeError, UnicodeDecodeError):
            raise CheckpointError(f"{source}: cut off or not a sentencepiece model") from None
        ids = {piece: token for token, piece in enumerate(self._pieces)}
        if missing := [name for name in ("<s>", "</s>", *_MARKERS.values()) if name not in ids]:
            raise CheckpointError(f"{source}: has no {', '.join(missing)}")
        self.bos_id = ids["<s>"]
        self.eos_id = ids["</s>"]
        self.marker_ids: dict[Modality, int] = {modality: ids[name] for modality, name in _MARKERS.items()}

        units = (
            (token, _UNIT.fullmatch(piece)) for token, piece in enumerate(self._pieces) if piece[:1] == "["
        )
        self._units = {token: Unit(Kind(match[1]), int(match[2])) for token, match in units if match}
        self.unit_ids = {unit: token for token, unit in self._units.items()}
        self.unit_counts = {kind: sum(unit.kind is kind for unit in self.unit_ids) for kind in Kind}
        _check_units(self.unit_ids, self.unit_counts, source)

        self._bytes = {
            ids[name]: bytes([value]) for value in range(256) if (name := f"<0x{value:02X}>") in ids
        }
        if len(self._bytes) < 256:
            raise CheckpointError(f"{source}: has {len(self._bytes)} of the 256 pieces <0x00> to <0xFF>")
        self.nul_id = ids["<0x00>"]
        self._byte_ids = {content[0]: token for token, content in self._bytes.items()}
        not_text = {*self.marker_ids.values(), *self._units}
        all_ids = list(range(self.size))
        for is_special in (
            self._processor.is_control,
            self._processor.is_unknown,
            self._processor.is_unused,
        ):
            not_text.update(itertools.compress(all_ids, is_special(all_ids)))
        self.text_ids = [token for token in all_ids if token not in not_text]
        self._text = frozenset(self.text_ids)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a `tokenizer.model`. Raises CheckpointError."""
        return cls(read_limited(path, _MAX_BYTES, CheckpointError), path)

    def encode(self, sequence: Sequence, opens: Modality | None = None) -> list[int]:
        """Convert a sequence to ids: `<s>`, then the marker and the content of each span.

        opens: modality of the span to follow; its marker is added at the end unless the sequence already ends in that
        modality. Raises TokenError for a unit that the model does not have; the message lists the units it has.
        """
        ids = [self.bos_id]
        for span in sequence.spans:
            if isinstance(span, TextSpan):
                ids.append(self.marker_ids["text"])
                ids += self.encode_text(span.text)
            else:
                ids.append(self.marker_ids["speech"])
                ids += [self._unit_id(unit) for unit in span.units]
        if opens and opens != sequence.ends_in:
            ids.append(self.marker_ids[opens])
        return ids

    def encode_continuation(self, context: Line, sequence: Sequence) -> tuple[list[int], list[int]]:
        """Convert a context and the sequence that follows it, each to its own ids.

        The sequence's first marker is omitted if the context ends in that modality or has opened it. A bare marker at
        the end of the context is dropped unless the sequence starts with its modality. Text is not merged across the
        boundary. Raises TokenError as `encode` does.
        """
        ids = self.encode(sequence)[1:]
        first = modality(sequence.spans[0]) if sequence.spans else None
        opened = context.opens if context.opens == first else None
        if first and first == (opened or context.sequence.ends_in):
            ids = ids[1:]
        return self.encode(context.sequence, opened), ids

    def encode_text(self, text: str) -> list[int]:
        """Convert text to text ids. Text that spells a marker, a unit or `</s>` stays text."""
        ids: list[int] = []
        for part in re.split(f"({_SPACE})", text):
            if part == _SPACE:
                # sentencepiece writes a space as this character; the character itself has to be written in bytes
                ids += [self._byte_ids[value] for value in _SPACE.encode()]
            else:
                for plain in _INSIDE_NAME.split(part):
                    ids += self._processor.encode(plain)
        return ids

    def decode(self, ids: Iterable[int]) -> Sequence:
        """Convert ids to a sequence; the inverse of `encode`.

        Accepts any ids of the vocabulary: a unit outside a speech span starts one, a text piece after units starts a
        text span, markers, `<s>` and `</s>` add nothing, and bytes that are not UTF-8 become U+FFFD. Raises TokenError
        for an id outside the vocabulary.
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
        """Modality of the last span of a prompt (None without spans), and whether it is a marker without content."""
        last = ids[-1]
        for kind, marker in self.marker_ids.items():
            if last == marker:
                return kind, True
        return self.modality(last), False

    def truncate_left(self, ids: TypingSequence[int], max_length: int) -> list[int]:
        """Keep `<s>` and the end of a prompt: at most `max_length` ids, which begin with the marker of a span."""
        kept = list(ids[len(ids) - max_length + 1 :])
        if kind := self.modality(kept[0]):
            # the marker takes the place of the first id, unless the next id is a marker
            kept = kept[1:] if kept[1] in self.marker_ids.values() else [self.marker_ids[kind], *kept[1:]]
        return [self.bos_id, *kept]

    def modality(self, token: int) -> Modality | None:
        """Modality of an id; None for markers, `<s>`, `</s>` and other ids without content.

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
        """The unit of an id. Raises KeyError for an id that is not a unit."""
        return self._units[token]

    def text_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a text id, possibly a part of a character."""
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
    """Raise CheckpointError if there are no phonetic units, or the units of a kind are not numbered from 0 on."""
    if not counts[Kind.HUBERT]:
        raise CheckpointError(f"{source}: has no units, [Hu0] and on")
    for kind in Kind:
        for unit in (Unit(kind, i) for i in range(counts[kind])):
            if unit not in ids:
                raise CheckpointError(f"{source}: has no {unit}, but others of its kind")
