"""From a recording to an utterance: its units, and its words with their times."""

import random
from typing import Protocol

from spiritlm_cli.audio.clip import Clip, Waveform
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.aligners import Aligner
from spiritlm_cli.interleaving.interleave import Utterance, interleave
from spiritlm_cli.interleaving.spans import SpanOptions
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.units import Units


class Encoder(Protocol):
    """What makes units of sound: a `SpeechTokenizer`."""

    def encode(self, waveform: Waveform) -> Units: ...


def read_utterance(clip: Clip, tokenizer: Encoder, aligner: Aligner | None = None) -> Utterance:
    """Read a clip, tokenize it, and, where it comes without word times, align its text.

    A clip that has word times and no text has the words, with spaces between, for text. Raises AudioError,
    and AlignmentError where the clip has no text, no word times and there is no aligner, or the text doesn't
    fit the sound.
    """
    alignment = clip.alignment
    if clip.text is None and alignment is None:
        raise AlignmentError("a clip with no text can't be interleaved")
    waveform = read_clip(clip)
    text = clip.text
    if alignment is None:
        if aligner is None:
            raise AlignmentError("no word times, and no aligner to find them")
        alignment = aligner.align(waveform, text or "")
    if text is None:
        text = " ".join(word.word for word in alignment.words)
    return Utterance(clip.id, tokenizer.encode(waveform), text, alignment)


def interleave_clip(
    clip: Clip, tokenizer: Encoder, aligner: Aligner | None, options: SpanOptions, rng: random.Random
) -> Sequence:
    """One sequence of a recording. For several of one recording, `read_utterance` once and `interleave` that.

    Raises AudioError and AlignmentError as `read_utterance`.
    """
    utterance = read_utterance(clip, tokenizer, aligner)
    return interleave(utterance.units, utterance.text, utterance.alignment, options, rng)
