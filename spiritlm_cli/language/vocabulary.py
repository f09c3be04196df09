"""Conversion between sequences and the token ids of a language model, whatever its tokenizer is."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as TypingSequence
from pathlib import Path

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, SpeechSpan, TextSpan, modality
from spiritlm_cli.tokens.units import Kind, Unit


class Vocabulary(ABC):
    """The token ids of text, of units, and of what separates them.

    size: number of ids. bos_id: id of the start token, with which every sequence begins; None if there is none.
    eos_ids: ids that end a sequence; empty if there are none. marker_ids: ids that begin a span of text or of speech;
    empty in a vocabulary of units alone, whose sequences are one span of speech. text_ids: all ids that stand for text.
    nul_ids: those of them whose text has the byte 0. unit_ids: the id of each unit. unit_counts: number of units of
    each kind, which are numbered from 0.
    """

    def __init__(
        self,
        source: str | Path,
        size: int,
        bos_id: int | None,
        eos_ids: Iterable[int],
        marker_ids: Mapping[Modality, int],
        unit_ids: Mapping[Unit, int],
        text_ids: Iterable[int] = (),
        nul_ids: Iterable[int] = (),
    ) -> None:
        """source: name of the vocabulary's file in error messages. The other arguments are the attributes.

        Raises CheckpointError if there are no phonetic units, or the units of a kind are not numbered from 0 on.
        """
        self.size = size
        self.bos_id = bos_id
        self.eos_ids = tuple(eos_ids)
        self.marker_ids = dict(marker_ids)
        self.text_ids = list(text_ids)
        self.nul_ids = tuple(nul_ids)
        self.unit_ids = dict(unit_ids)
        self.unit_counts = {kind: sum(unit.kind is kind for unit in self.unit_ids) for kind in Kind}
        self._units = {token: unit for unit, token in self.unit_ids.items()}
        self._text = frozenset(self.text_ids)
        self._start = [] if bos_id is None else [bos_id]
        _check_units(self.unit_ids, self.unit_counts, source)

    @abstractmethod
    def encode_text(self, text: str) -> list[int]:
        """Convert text to text ids, verbatim. Text that spells a marker, a unit or a special token stays text.

        Raises TokenError if the vocabulary has no text.
        """

    @abstractmethod
    def text_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a text id, possibly a part of a character."""

    @property
    def start_length(self) -> int:
        """Number of start tokens of a sequence: 1 or 0."""
        return len(self._start)

    def encode(self, sequence: Sequence, opens: Modality | None = None) -> list[int]:
        """Convert a sequence to ids: the start token, then the marker and the content of each span.

        opens: modality of the span to follow; its marker is added at the end unless the sequence already ends in that
        modality. Raises TokenError for a unit that the model does not have, the message lists the units it has; and
        for text if the model has units alone.
        """
        ids = list(self._start)
        for span in sequence.spans:
            ids += self._marker(modality(span))
            if isinstance(span, TextSpan):
                ids += self.encode_text(span.text)
            else:
                ids += [self._unit_id(unit) for unit in span.units]
        if opens and opens != sequence.ends_in:
            ids += self._marker(opens)
        return ids

    def encode_continuation(self, context: Line, sequence: Sequence) -> tuple[list[int], list[int]]:
        """Convert a context and the sequence that follows it, each to its own ids.

        The sequence's first marker is omitted if the context ends in that modality or has opened it. A bare marker at
        the end of the context is dropped unless the sequence starts with its modality. Text is not merged across the
        boundary. Raises TokenError as `encode` does.
        """
        ids = self.encode(sequence)[self.start_length :]
        first = modality(sequence.spans[0]) if sequence.spans else None
        opened = context.opens if context.opens == first else None
        if first and first == (opened or context.sequence.ends_in):
            ids = ids[len(self._marker(first)) :]
        return self.encode(context.sequence, opened), ids

    def decode(self, ids: Iterable[int]) -> Sequence:
        """Convert ids to a sequence; the inverse of `encode`.

        Accepts any ids of the vocabulary: a unit outside a speech span starts one, a text piece after units starts a
        text span, markers and special tokens add nothing, and bytes that are not UTF-8 become U+FFFD. Raises
        TokenError for an id outside the vocabulary.
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
        if not ids:
            return None, False
        for kind, marker in self.marker_ids.items():
            if ids[-1] == marker:
                return kind, True
        return self.modality(ids[-1]), False

    def truncate_left(self, ids: TypingSequence[int], max_length: int) -> list[int]:
        """Keep the start token and the end of a prompt: at most `max_length` ids that begin with the marker of a span.

        max_length: at least 3, and less than the length of the prompt.
        """
        kept = list(ids[len(ids) - max_length + self.start_length :])
        if self.marker_ids and (kind := self.modality(kept[0])):
            # the marker takes the place of the first id, unless the next id is a marker
            kept = kept[1:] if kept[1] in self.marker_ids.values() else [self.marker_ids[kind], *kept[1:]]
        return [*self._start, *kept]

    def modality(self, token: int) -> Modality | None:
        """Modality of an id; None for markers, special tokens and other ids without content.

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

    def _marker(self, kind: Modality) -> list[int]:
        """The ids that begin a span. Raises TokenError for text if there is none."""
        if self.marker_ids:
            return [self.marker_ids[kind]]
        if kind == "text":
            raise TokenError("the language model has speech units alone: it can't read or generate text")
        return []

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
