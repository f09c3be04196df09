"""How similar the hidden states of a spoken word and of the same written word are, layer by layer.

Source: the paper's figure 6: the maximum of the cosine similarities of the speech and the text features of a word,
averaged over the words of a test set. The paper does not give the set, the control or the numbers of the layers; here,
layer 0 is the embeddings. The control is our own.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, ResultRow
from spiritlm_cli.interleaving.word_units import TimedWord, letters_and_digits, timed_words
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.clip import Alignment
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.sequence import TextSpan
from spiritlm_cli.tokens.timeline import HUBERT_RATE, merge_streams, run_starts
from spiritlm_cli.tokens.units import Kind, Units

_METRICS = (
    Metric("same", "same word", percent=False, digits=3),
    Metric("other", "other words", percent=False, digits=3),
    Metric("gap", "gap", percent=False, digits=3),
)
_NOTE = (
    "Maximum cosine of the pieces of a written word and the units of a spoken one, a mean over words. other words: the "
    "written word with the other spoken words of its sentence; gap: the difference. Layer 0 is the embeddings."
)


@dataclass(frozen=True)
class WordPositions:
    """Where a word is in the two sequences of its sentence.

    word: without punctuation. text: positions of its pieces among the token ids of the text. speech: positions of its
    phonetic units among those of the speech; empty if it has none.
    """

    word: str
    text: tuple[int, ...]
    speech: tuple[int, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence as two sequences of token ids, each with the start token and a marker, and its words in both.

    pieces: positions of the text's pieces among its ids, and their texts. units: positions of the phonetic units among
    the ids of the speech. words: those with units. left_out: number of words without units.
    """

    text_ids: tuple[int, ...]
    speech_ids: tuple[int, ...]
    pieces: dict[int, str]
    units: tuple[int, ...]
    words: tuple[WordPositions, ...]
    left_out: int

    @classmethod
    def of(cls, text: str, units: Units, alignment: Alignment, vocabulary: Vocabulary) -> "Sentence":
        """Encode the text and the units of a clip, and find the words of its alignment in both.

        Runs of equal units are merged. Raises AlignmentError if text and alignment differ, TokenError for a unit that
        the model does not have or if it has no text.
        """
        words = timed_words(text, alignment)
        text_ids = vocabulary.encode(TokenSequence.of([TextSpan(text)]))
        pieces = [vocabulary.text_bytes(piece) for piece in vocabulary.encode_text(text)]
        pieces_of = _piece_positions(words, list(map(len, pieces)))
        span = merge_streams(units)
        speech_ids = vocabulary.encode(TokenSequence.of([span]))
        units_of = _unit_positions(words, units)
        # of the phonetic units in the merged sequence
        in_span = [index for index, unit in enumerate(span.units) if unit.kind is Kind.HUBERT]
        text_start, speech_start = len(text_ids) - len(pieces), len(speech_ids) - len(span.units)
        found = [
            WordPositions(
                _bare(word.text),
                tuple(text_start + index for index in written),
                tuple(speech_start + in_span[index] for index in spoken),
            )
            for word, written, spoken in zip(words, pieces_of, units_of, strict=True)
        ]
        kept = tuple(word for word in found if word.speech)
        return cls(
            tuple(text_ids),
            tuple(speech_ids),
            {text_start + index: piece.decode(errors="replace") for index, piece in enumerate(pieces)},
            tuple(speech_start + index for index in in_span),
            kept,
            len(found) - len(kept),
        )


@dataclass(frozen=True)
class LayerSimilarities:
    """Similarities of the words of a sentence at each layer.

    words: number of words that were compared. same: for each layer, the mean over these words of the similarity of
    their text and their speech. other: the mean over the words of the similarity of their text and the speech of
    another word of the sentence. left_out: number of words that could not be compared.
    """

    words: int
    same: tuple[float, ...]
    other: tuple[float, ...]
    left_out: int

    def to_record(self) -> Record:
        """Return an object for `json.dumps`."""
        return asdict(self)


@dataclass(frozen=True)
class LayerEstimates:
    """Similarities over all words of a run at each layer, from 0.

    gap: of a word with itself, minus that with another word.
    """

    same: tuple[Estimate, ...]
    other: tuple[Estimate, ...]
    gap: tuple[Estimate, ...]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "LayerEstimates":
        """Average records of `LayerSimilarities.to_record` over words.

        Raises ManifestError if no word was compared, or if records have different numbers of layers.
        """
        used = [record for record in records if record.get("words")]
        if not used:
            raise ManifestError("similarity: no word has units and another word in its sentence")
        if len(layers := {len(record["same"]) for record in used}) > 1:
            raise ManifestError(f"similarity: records have different numbers of layers, {sorted(layers)}")
        words = np.array([record["words"] for record in used])
        same, other = (np.array([record[name] for record in used]).T for name in ("same", "other"))
        means = (
            tuple(Estimate.of_ratio(words * layer, words) for layer in values)
            for values in (same, other, same - other)
        )
        return cls(*means)

    @property
    def best(self) -> int:
        """The layer with the largest gap."""
        return max(range(len(self.gap)), key=lambda layer: self.gap[layer].value)


@dataclass(frozen=True, eq=False)
class SimilarityMatrix:
    """Cosines of all pieces and phonetic units of a sentence at one layer.

    cosines: (pieces, units). pieces: their texts. words: of each word its name, and the rows and columns that it has.
    """

    cosines: NDArray[np.float32]
    pieces: tuple[str, ...]
    words: tuple[WordPositions, ...]

    @classmethod
    def of(cls, sentence: Sentence, cosines: NDArray[np.float32]) -> "SimilarityMatrix":
        """cosines: (pieces, units)."""
        rows = {position: row for row, position in enumerate(sentence.pieces)}
        columns = {position: column for column, position in enumerate(sentence.units)}
        words = (
            WordPositions(
                word.word,
                tuple(rows[index] for index in word.text),
                tuple(columns[index] for index in word.speech),
            )
            for word in sentence.words
        )
        return cls(cosines, tuple(sentence.pieces.values()), tuple(words))


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Compute the result of records of `LayerSimilarities.to_record`: a row for each layer."""
    layers = LayerEstimates.of(records)
    words = sum(record["words"] for record in records)

    def row(layer: int, name: str, kind: str | None) -> ResultRow:
        values = {"same": layers.same[layer], "other": layers.other[layer], "gap": layers.gap[layer]}
        return ResultRow(name, layers.same[layer].count, values, kind)

    rows = [row(layers.best, f"layer {layers.best}, of the largest gap", None)]
    rows += [row(layer, str(layer), "layer") for layer in range(len(layers.gap))]
    counts = {"words": words, "words left out": sum(record["left_out"] for record in records)}
    notes = [_NOTE]
    if without := sum(not record["words"] for record in records):
        notes.append(
            f"{without} of {len(records)} items have no word that is compared: none has units and another word in its "
            "sentence."
        )
    return EvaluationResult(description, len(records), _METRICS, tuple(rows), tuple(notes), counts)


def layer_similarities(sentence: Sentence, text: Tensor, speech: Tensor) -> LayerSimilarities:
    """Compare each word of a sentence with itself, and with all other words.

    text: (layers, tokens of the text, dim), hidden states. speech: (layers, tokens of the speech, dim). The similarity
    of two words is the maximum over the pieces of the one and the units of the other of their cosine. The control of a
    word is the mean over the other words of the sentence, except those with the same letters; a word without any is
    left out of both.
    """
    cosines = cosine_matrix(text, speech)
    names = [letters_and_digits(word.word) for word in sentence.words]
    others = [[index for index, other in enumerate(names) if other != name] for name in names]
    compared = [index for index, different in enumerate(others) if different]
    same, wrong = [], []
    for index in compared:
        rows = cosines[:, list(sentence.words[index].text)].amax(dim=1)
        by_word = torch.stack([rows[:, list(word.speech)].amax(dim=1) for word in sentence.words], dim=1)
        same.append(by_word[:, index])
        wrong.append(by_word[:, others[index]].mean(dim=1))
    left_out = sentence.left_out + len(sentence.words) - len(compared)
    return LayerSimilarities(len(compared), _means(same), _means(wrong), left_out)


def cosine_matrix(text: Tensor, speech: Tensor) -> Tensor:
    """Cosine similarities of all tokens of two sequences at each layer.

    text: (layers, tokens, dim). speech: (layers, units, dim). Returns (layers, tokens, units) float32.
    """
    return F.normalize(text.float(), dim=-1) @ F.normalize(speech.float(), dim=-1).transpose(1, 2)


def _means(values: list[Tensor]) -> tuple[float, ...]:
    """The mean over (layers,) values of words; empty without words."""
    return tuple(torch.stack(values).double().mean(dim=0).tolist()) if values else ()


def _piece_positions(words: Sequence[TimedWord], sizes: Sequence[int]) -> list[range]:
    """The indices of the pieces of each word. sizes: number of UTF-8 bytes of each piece of the whole text.

    The pieces of a word are those that have a byte of it, from the space before its first letter or digit to its last
    one. Punctuation in pieces of its own does not belong to it.
    """
    text = "".join(word.text for word in words)
    ends = list(accumulate(sizes))
    starts = [0, *ends[:-1]]
    positions = []
    offset = 0
    for word in words:
        bare = _bare(word.text)
        begin = offset + word.text.index(bare)
        end = begin + len(bare)
        if text[:begin].endswith(" "):
            begin -= 1
        first, last = (len(text[:index].encode()) for index in (begin, end))
        positions.append(range(bisect_right(ends, first), bisect_left(starts, last)))
        offset += len(word.text)
    return positions


def _unit_positions(words: Sequence[TimedWord], units: Units) -> list[list[int]]:
    """The indices of the runs of phonetic units whose middle is in the time of each word."""
    starts = run_starts(units.hubert)
    ends = np.append(starts[1:], len(units.hubert))
    middles = (starts + ends) / 2 / HUBERT_RATE
    return [np.flatnonzero((word.start <= middles) & (middles < word.end)).tolist() for word in words]


def _bare(text: str) -> str:
    """A word without the spaces and the punctuation around it: from its first letter or digit to its last one."""
    kept = [index for index, character in enumerate(text) if letters_and_digits(character)]
    return text[kept[0] : kept[-1] + 1]
