"""Token sequences of the language model's training, labeled token by token."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.units import IntArray
from spiritlm_cli.training.language_model_options import Loss
from spiritlm_cli.training.pairs import LabeledSequence


@dataclass(frozen=True, eq=False)
class Document:
    """A training sequence as tokens; each (tokens,).

    ids: from the start token to the end token, if the vocabulary has them. words: index of each token's word in the
    document, −1 for none. weights: of each token's loss; 0 for the first one, which nothing predicts. divisions:
    (answers,) ascending, the token after each answer and the marker that ends it: where a document of questions and
    answers can be divided without separating an answer from its question; the last one is the number of tokens.
    """

    ids: IntArray
    words: IntArray
    weights: NDArray[np.float32]
    divisions: IntArray

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.ids)

    def undivided(self, first: int, vocabulary: Vocabulary) -> int:
        """Number of tokens of the shortest part that begins with token `first` and has whole questions and answers.

        It is 1 if the document has no answers.
        """
        later = self.divisions[self.divisions > first]
        return len(self._head(first, vocabulary)) + int(later[0]) - first if len(later) else 1

    def part(self, first: int, room: int, vocabulary: Vocabulary) -> tuple["Document", int]:
        """Cut a part out that begins with token `first`, as a document of its own. room: its largest number of tokens.

        Unless it is the beginning, it starts with the start token and the marker of the modality in which it was cut;
        these have weight 0. If the rest of the document does not fit, the part ends at the last division that does, if
        there is one. Returns the part, and the token with which the next one begins: the number of tokens if nothing is
        left, or the end token alone.
        """
        head = self._head(first, vocabulary)[:room]
        stop = min(first + room - len(head), len(self))
        if stop < len(self):
            inside = self.divisions[(self.divisions > first) & (self.divisions <= stop)]
            stop = int(inside[-1]) if len(inside) else stop
        weights = np.concatenate([np.zeros(len(head), dtype=np.float32), self.weights[first:stop]])
        weights[0] = 0
        part = Document(
            np.concatenate([np.array(head, dtype=np.int64), self.ids[first:stop]]),
            np.concatenate([np.full(len(head), -1, dtype=np.int64), self.words[first:stop]]),
            weights,
            np.zeros(0, dtype=np.int64),
        )
        only_end = stop == len(self) - 1 and int(self.ids[-1]) in vocabulary.eos_ids
        return part, len(self) if only_end else stop

    def _head(self, first: int, vocabulary: Vocabulary) -> list[int]:
        """What a part that begins with token `first` starts with, before that token."""
        if not first:
            return []
        head = [] if vocabulary.bos_id is None else [vocabulary.bos_id]
        kind = vocabulary.modality(int(self.ids[first]))
        if kind and vocabulary.marker_ids:
            head.append(vocabulary.marker_ids[kind])
        return head


def encode_document(labeled: LabeledSequence, vocabulary: Vocabulary, loss: Loss = "all") -> Document:
    """Encode a sequence, with a start and an end token if the vocabulary has them.

    loss: tokens with weight 1, as of `--loss`; "balanced" has the same weights here as "all".
    Raises TokenError for a unit or a text that the vocabulary does not have.
    """
    ids = vocabulary.encode(labeled.sequence)
    words = _of_tokens(ids, labeled, labeled.words, vocabulary)
    in_answer = _of_tokens(ids, labeled, labeled.answers, vocabulary) >= 0
    end = list(vocabulary.eos_ids[:1])
    if loss == "answer":
        weights = _trained(in_answer, [*ids, *end], vocabulary)
    elif loss == "text":
        is_text = np.array([vocabulary.modality(token) == "text" for token in ids], dtype=bool)
        weights = _trained(is_text, [*ids, *end], vocabulary)
    else:
        weights = np.ones(len(ids) + len(end), dtype=bool)
    weights[0] = False
    return Document(
        np.array([*ids, *end], dtype=np.int64),
        np.concatenate([words, np.full(len(end), -1, dtype=np.int64)]),
        weights.astype(np.float32),
        _divisions(in_answer, [*ids, *end], vocabulary),
    )


def _divisions(in_answer: NDArray[np.bool_], ids: list[int], vocabulary: Vocabulary) -> IntArray:
    """The token after each answer and the marker or end token that follows it. in_answer: of the ids but the end."""
    padded = np.zeros(len(ids) + 1, dtype=bool)
    padded[: len(in_answer)] = in_answer
    after = np.flatnonzero(padded[:-1] & ~padded[1:]) + 1
    is_marked = [i < len(ids) and vocabulary.modality(ids[i]) is None for i in after]
    return after + np.array(is_marked, dtype=np.int64)


def _trained(chosen: NDArray[np.bool_], ids: list[int], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Add what ends a chosen stretch, a marker or the end token. chosen: of the ids but the end token."""
    trained = np.concatenate([chosen, np.zeros(len(ids) - len(chosen), dtype=bool)])
    is_mark = np.array([vocabulary.modality(token) is None for token in ids], dtype=bool)
    trained[1:] |= trained[:-1] & is_mark[1:]
    return trained


def _of_tokens(
    ids: list[int], labeled: LabeledSequence, labels: tuple[IntArray, ...], vocabulary: Vocabulary
) -> IntArray:
    """Map the labels of units and characters to tokens: (tokens,) int64; −1 for markers, and without labels.

    A text piece has the label of its last character.
    """
    of_tokens = np.full(len(ids), -1, dtype=np.int64)
    if not labels:
        return of_tokens
    position = vocabulary.start_length
    for span, label in zip(labeled.sequence.spans, labels, strict=True):
        position += bool(vocabulary.marker_ids)  # after the marker
        if isinstance(span, SpeechSpan):
            of_tokens[position : position + len(label)] = label
            position += len(label)
            continue
        of_byte = np.repeat(label, [len(character.encode()) for character in span.text])
        stop = 0
        while stop < len(of_byte):
            stop += len(vocabulary.text_bytes(ids[position]))
            of_tokens[position] = of_byte[min(stop, len(of_byte)) - 1]
            position += 1
    return of_tokens
