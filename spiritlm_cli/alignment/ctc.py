"""Forced alignment by CTC, with any model of the wav2vec 2.0 kind in a Hugging Face folder, in its language."""

import contextlib
import logging
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from spiritlm_cli.alignment.viterbi import IntArray, best_path
from spiritlm_cli.english.abbreviations import APOSTROPHES
from spiritlm_cli.english.verbalize import verbalize
from spiritlm_cli.errors import AlignmentError, CheckpointError
from spiritlm_cli.manifests.clip import Alignment, FloatArray, Waveform, Word
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoFeatureExtractor, AutoModelForCTC, Wav2Vec2CTCTokenizer
    from transformers.utils import logging as transformers_logging

# what the network hears at once, and what it hears beside that on each side
WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 2.0
# What the path loses against the best of all labels in each frame, as a log probability for each letter. Measured with
# a small model of four synthetic voices: on other voices 199 of 200 clips with their text are above it, and 1 of 200
# with another's text of like length; of recordings of readers, which it never heard the like of, 54 and 1 of 60.
WORST_FIT = -5.0

# words, each the labels of its letters; and the ways to say one thing, of which one is said
Spelling = list[list[int]]
Part = list[Spelling]


@dataclass(frozen=True)
class Vocabulary:
    """The letters that a model knows, each with its label, in the case that the model has.

    delimiter: the label between words, where the model has one.
    """

    letters: Mapping[str, int]
    blank: int
    delimiter: int | None

    def parts(self, token: str, previous: str = "") -> list[Part]:
        """What may be said for one token of a text, part after part; none for a token such as `--`.

        That is what `verbalize` says, which knows English only; but a token with letters other than a-z stays as it is
        spelt, save its case, where no more of its letters are lost by that. Letters that the model lacks are left out.

        Raises AlignmentError where nothing remains of a word.
        """
        parts = [
            [[self._labels(word) for word in way] for way in ways] for ways in verbalize(token, previous)
        ]
        words = _own_words(token)
        spelling = [self._labels(word) for word in words]
        if not "".join(words).isascii() and not any(map(str.isdigit, token)):
            said = sum(len(word) for ways in parts for word in ways[0])
            if sum(map(len, spelling)) >= min(said, len(self._cased("".join(words)))):
                parts = [[spelling]]
        known = [[way for way in ways if all(way)] for ways in parts]
        if not all(known):
            raise AlignmentError(f"{token!r} has a word of which the model knows no letter")
        return known

    def _labels(self, word: str) -> list[int]:
        # an apostrophe at a word's end has no sound, and may be a quotation mark
        return [self.letters[letter] for letter in self._cased(word.strip("'")) if letter in self.letters]

    def _cased(self, word: str) -> str:
        if sum(map(str.isupper, self.letters)) > sum(map(str.islower, self.letters)):
            return word.upper()
        # ß where the model has it, ss where not
        return "".join(letter if letter in self.letters else letter.casefold() for letter in word.lower())


@dataclass(frozen=True, eq=False)
class TargetLabels:
    """A text as labels.

    targets: (n,) int64, delimiters among them; letters: (n,) bool, which of them are none. spans: for each token the
    position in `targets` of its first letter and of what follows its last, or None where nothing is said.
    """

    targets: IntArray
    letters: NDArray[np.bool_]
    spans: tuple[tuple[int, int] | None, ...]

    @classmethod
    def of(cls, said: list[list[Spelling]], delimiter: int | None) -> "TargetLabels":
        """said: what each token says, part after part; between each two words goes the delimiter."""
        targets: list[int] = []
        spans: list[tuple[int, int] | None] = []
        for parts in said:
            starts = []
            for word in (word for spelling in parts for word in spelling):
                targets += [delimiter] if targets and delimiter is not None else []
                starts.append(len(targets))
                targets += word
            spans.append((starts[0], len(targets)) if starts else None)
        array = np.array(targets, dtype=np.int64)
        return cls(array, array != (-1 if delimiter is None else delimiter), tuple(spans))


class CtcAligner:
    """When each word of a known text is said, by a network that writes down letters as it hears them.

    A model trained by CTC says a letter in one frame or two, anywhere in its sound, and blank in the rest. So a word,
    which is from its first letter to its last, tends to begin late and to end early: by a frame (20 ms) each against
    pocketsphinx, with a small model. That is left as it is, since how much depends on the model. What isn't English is
    spelt as written, save numbers, which are verbalized in English.
    """

    def __init__(self, network: Any, extractor: Any, vocabulary: Vocabulary) -> None:
        self._network, self._extractor, self._vocabulary = network, extractor, vocabulary
        self._rate: int = extractor.sampling_rate
        kernels, strides = network.config.conv_kernel, network.config.conv_stride
        # samples from one frame to the next, and that one frame is made of
        self._stride = prod(strides)
        self._field = 1 + sum((kernel - 1) * prod(strides[:layer]) for layer, kernel in enumerate(kernels))

    @classmethod
    def load(cls, folder: str, device: str = "auto") -> "CtcAligner":
        """A folder with config.json, weights, vocab.json and preprocessor_config.json: Wav2Vec2ForCTC, HubertForCTC,
        WavLMForCTC and their kin.

        Raises CheckpointError where it isn't such a folder, SpiritLMError where the device can't be used.
        """
        place = find_device(device)
        if not (Path(folder) / "config.json").is_file():
            raise CheckpointError(f"{folder}: no config.json; expected a CTC model's Hugging Face folder")
        try:
            with _quiet():
                extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
                tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder, local_files_only=True)
                network, report = AutoModelForCTC.from_pretrained(
                    folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
                )
            aligner = cls(network.to(place).eval(), extractor, _vocabulary(tokenizer, network.config))
        # anything: it depends on which file is missing or broken, and on what else the model is
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{folder}: not a CTC model of the wav2vec 2.0 kind: {reason}") from error
        # they would be random; what masks in training is not used
        if missing := sorted(name for name in report["missing_keys"] if "masked_spec_embed" not in name):
            raise CheckpointError(f"{folder}: weights missing: {', '.join(missing[:4])}")
        aligner._check(folder)
        return aligner

    def align(self, waveform: Waveform, text: str) -> Alignment:
        """One Word for each whitespace-separated token of `text`, in order, spelt as there; times in seconds.

        confidence: the geometric mean of the probabilities that the model gives to a word's letters, over the frames
        that the path has for them: exp(mean over those frames t of log p(letter at t | sound)).

        Raises AlignmentError where the text has no words, can't be spelt, or doesn't fit the sound, and where they are
        too long to be aligned at once.
        """
        tokens = text.split()
        parts = [
            self._vocabulary.parts(token, previous)
            for token, previous in zip(tokens, ["", *tokens], strict=False)
        ]
        if not any(parts):
            raise AlignmentError("the text has no words to align")
        log_probs = self._log_probs(waveform)
        transcript = _choose(parts, log_probs, self._vocabulary)
        path, score = _search(log_probs, transcript, self._vocabulary.blank)
        lost = score - float(log_probs.max(axis=1).sum(dtype=np.float64))
        if lost / transcript.letters.sum() < WORST_FIT:
            raise AlignmentError(
                f"the text does not fit the sound: {len(tokens)} words, {waveform.seconds:.1f} s"
            )
        return word_times(tokens, transcript, path, log_probs, self._stride / self._rate)

    def _log_probs(self, waveform: Waveform) -> FloatArray:
        """Of each label in each frame, (frames, labels) float32. Raises AlignmentError where there is no frame."""
        samples = waveform.samples
        if waveform.rate != self._rate:
            samples = soxr.resample(samples, waveform.rate, self._rate)
        frames = (len(samples) - self._field) // self._stride + 1
        if frames < 1:
            raise AlignmentError(f"{waveform.seconds:.3f} s of sound is too short to align")
        values = self._extractor(samples, sampling_rate=self._rate, return_tensors="pt").input_values
        window, context = (
            int(seconds * self._rate) // self._stride for seconds in (WINDOW_SECONDS, CONTEXT_SECONDS)
        )
        heard = []
        for first in range(0, frames, window):
            begin, end = max(first - context, 0), min(first + window + context, frames)
            sound = values[:, begin * self._stride : (end - 1) * self._stride + self._field]
            heard.append(self._listen(sound)[first - begin :][:window])
        return np.concatenate(heard)

    @torch.inference_mode()
    def _listen(self, values: torch.Tensor) -> FloatArray:
        """values: (1, samples). Returns log probabilities, (frames, labels)."""
        logits = self._network(values.to(self._network.device)).logits[0]
        log_probs: FloatArray = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
        return log_probs

    def _check(self, folder: str) -> None:
        """Raises CheckpointError where the network's frames or labels are not what the folder says."""
        heard = self._listen(torch.zeros(1, 9 * self._stride + self._field))
        if len(heard) != 10:
            raise CheckpointError(f"{folder}: gives a frame for other than {self._stride} samples")
        if max([self._vocabulary.blank, *self._vocabulary.letters.values()]) >= heard.shape[1]:
            raise CheckpointError(f"{folder}: vocab.json has more labels than the network's {heard.shape[1]}")


def word_times(
    tokens: list[str], transcript: TargetLabels, path: IntArray, log_probs: FloatArray, frame: float
) -> Alignment:
    """The tokens where the path has their letters: frame i is from i * frame to (i + 1) * frame seconds.

    path: (frames,), as `numpy_path` gives it. A token with nothing to say takes no time: it starts and ends where the
    word before it ends, or, before the first word, where that starts.
    """
    chances = log_probs[np.arange(len(path)), transcript.targets[path]]
    words: list[Word] = []
    for token, span in zip(tokens, transcript.spans, strict=True):
        if span is None:
            start = end = words[-1].end if words else int((path >= 0).argmax()) * frame
            words.append(Word(token, start, end))
            continue
        within = (path >= span[0]) & (path < span[1])
        first, last = np.flatnonzero(within)[[0, -1]]
        # without the delimiters that a token's words have between them
        confidence = float(np.exp(chances[within & transcript.letters[path]].mean(dtype=np.float64)))
        words.append(Word(token, int(first) * frame, (int(last) + 1) * frame, confidence))
    return Alignment(tuple(words))


def _choose(parts: list[list[Part]], log_probs: FloatArray, vocabulary: Vocabulary) -> TargetLabels:
    """What is said of what may be: where there are ways, one part after the other, that with the best path."""
    said = [[ways[0] for ways in of_token] for of_token in parts]
    for token, of_token in enumerate(parts):
        for part, ways in enumerate(of_token):
            scores = []
            for way in ways if len(ways) > 1 else ():
                said[token][part] = way
                transcript = TargetLabels.of(said, vocabulary.delimiter)
                scores.append(_search(log_probs, transcript, vocabulary.blank)[1])
            if scores:
                said[token][part] = ways[int(np.argmax(scores))]
    return TargetLabels.of(said, vocabulary.delimiter)


def _search(log_probs: FloatArray, transcript: TargetLabels, blank: int) -> tuple[IntArray, float]:
    """The best path and its log probability; -inf where there are too few frames."""
    targets = transcript.targets
    # between two equal labels there is a blank
    if len(targets) + (targets[1:] == targets[:-1]).sum() > len(log_probs):
        return np.empty(0, dtype=np.int64), -np.inf
    path = best_path(log_probs, targets, blank)
    labels = np.where(path < 0, blank, targets[path])
    return path, float(log_probs[np.arange(len(path)), labels].sum(dtype=np.float64))


def _own_words(token: str) -> list[str]:
    """A token's letters of any script, with their marks and apostrophes; what stands between is left out."""
    kept = unicodedata.normalize("NFC", token.translate(APOSTROPHES))
    kept = "".join(sign if unicodedata.category(sign)[0] in "LM" or sign == "'" else " " for sign in kept)
    return [word for word in kept.split() if word.strip("'")]


def _vocabulary(tokenizer: Any, config: Any) -> Vocabulary:
    labels: dict[str, int] = tokenizer.get_vocab()
    delimiter = labels.get(tokenizer.word_delimiter_token)
    blank = tokenizer.pad_token_id if config.pad_token_id is None else config.pad_token_id
    letters = {
        sign: label for sign, label in labels.items() if len(sign) == 1 and label not in (delimiter, blank)
    }
    return Vocabulary(letters, blank, delimiter)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within it transformers says nothing while it loads."""
    bars, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
