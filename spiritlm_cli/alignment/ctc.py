"""Forced alignment with a CTC model of the wav2vec 2.0 family, in the language of the model."""

import numpy as np

from spiritlm_cli.alignment.ctc_labels import Part, TargetLabels, Vocabulary
from spiritlm_cli.alignment.ctc_model import CtcModel
from spiritlm_cli.alignment.viterbi import IntArray, best_path
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Alignment, FloatArray, Waveform, Word

# The minimum log probability ratio, per letter, of the path to the best label of each frame. Measured with a small
# model of four synthetic voices: with their own text 199 of 200 clips of other voices are above it, with another text
# of similar length 1 of 200; of recordings of readers, which were not in its training data, 54 and 1 of 60.
MIN_LOG_RATIO = -5.0


class CtcAligner:
    """Forced alignment with a network that was trained with CTC to recognize letters.

    Such a network emits a letter in one or two frames, anywhere within its sound, and blank in the other frames. A word
    lasts from its first letter to its last, so it tends to start late and to end early: with a small model by one frame
    (20 ms) each, compared with pocketsphinx. The times are not corrected, since the bias depends on the model.

    Text that is not English is spelled as written, except numbers, which are read in English.
    """

    def __init__(self, model: CtcModel) -> None:
        self._model = model

    @classmethod
    def load(cls, folder: str, device: str = "auto") -> "CtcAligner":
        """Load a CTC model; see `CtcModel.load` for the folder and the errors."""
        return cls(CtcModel.load(folder, device))

    def align(self, waveform: Waveform, text: str) -> Alignment:
        """Align a text with its audio; see `Aligner.align`.

        The confidence of a word is the geometric mean of the probabilities of its letters over the frames that emit
        them: exp(mean over those frames t of log p(letter at t)).

        Raises AlignmentError if the text has no words, can't be spelled or doesn't match the audio, and if text and
        audio are too long to be aligned at once.
        """
        tokens = text.split()
        parts = [
            self._model.vocabulary.parts(token, previous)
            for token, previous in zip(tokens, ["", *tokens], strict=False)
        ]
        if not any(parts):
            raise AlignmentError("the text has no words to align")
        log_probs = self._model.log_probs(waveform)
        labels = _select_readings(parts, log_probs, self._model.vocabulary)
        path, score = _search(log_probs, labels, self._model.vocabulary.blank)
        log_ratio = score - float(log_probs.max(axis=1).sum(dtype=np.float64))
        if log_ratio / labels.is_letter.sum() < MIN_LOG_RATIO:
            raise AlignmentError(
                f"the text does not match the audio: {len(tokens)} words, {waveform.seconds:.1f} s"
            )
        return word_times(tokens, labels, path, log_probs, self._model.frame_seconds)


def word_times(
    tokens: list[str], labels: TargetLabels, path: IntArray, log_probs: FloatArray, frame_seconds: float
) -> Alignment:
    """The words of a CTC path. Frame i lasts from i * frame_seconds to (i + 1) * frame_seconds.

    path: (frames,), see `best_path`. A token without letters has no duration: it starts and ends at the end of the
    word before it, or at the start of the first word.
    """
    frame_log_probs = log_probs[np.arange(len(path)), labels.targets[path]]
    words: list[Word] = []
    for token, span in zip(tokens, labels.spans, strict=True):
        if span is None:
            start = end = words[-1].end if words else int((path >= 0).argmax()) * frame_seconds
            words.append(Word(token, start, end))
            continue
        in_token = (path >= span[0]) & (path < span[1])
        first, last = np.flatnonzero(in_token)[[0, -1]]
        # The delimiters between the words of a token don't count.
        confidence = float(np.exp(frame_log_probs[in_token & labels.is_letter[path]].mean(dtype=np.float64)))
        words.append(Word(token, int(first) * frame_seconds, (int(last) + 1) * frame_seconds, confidence))
    return Alignment(tuple(words))


def _select_readings(parts: list[list[Part]], log_probs: FloatArray, vocabulary: Vocabulary) -> TargetLabels:
    """Select the reading of each part greedily, from first to last, by the score of the best path."""
    selected = [[readings[0] for readings in token_parts] for token_parts in parts]
    for token, token_parts in enumerate(parts):
        for part, readings in enumerate(token_parts):
            scores = []
            for reading in readings if len(readings) > 1 else ():
                selected[token][part] = reading
                labels = TargetLabels.of(selected, vocabulary.delimiter)
                scores.append(_search(log_probs, labels, vocabulary.blank)[1])
            if scores:
                selected[token][part] = readings[int(np.argmax(scores))]
    return TargetLabels.of(selected, vocabulary.delimiter)


def _search(log_probs: FloatArray, labels: TargetLabels, blank: int) -> tuple[IntArray, float]:
    """The best path and its log probability; -inf if there are too few frames."""
    targets = labels.targets
    # Two equal labels have a blank between them.
    if len(targets) + (targets[1:] == targets[:-1]).sum() > len(log_probs):
        return np.empty(0, dtype=np.int64), -np.inf
    path = best_path(log_probs, targets, blank)
    emitted = np.where(path < 0, blank, targets[path])
    return path, float(log_probs[np.arange(len(path)), emitted].sum(dtype=np.float64))
