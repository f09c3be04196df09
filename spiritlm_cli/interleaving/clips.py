"""From a recording to an utterance: its units, and its words with their times."""

import random
from typing import Protocol

from spiritlm_cli.audio.clip import Clip, Waveform
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.interleaving.aligners import Aligner
from spiritlm_cli.interleaving.interleave import Utterance, interleave
from spiritlm_cli.interleaving.spans import SpanOptions
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.units import Units


class Encoder(Protocol):
    """What makes units of sound: a `SpeechTokenizer`."""

    def encode(self, waveform: Waveform) -> Units: ...


def read_utterance(clip: Clip, tokenizer: Encoder, aligner: Aligner | None = None) -> Utterance:
    """Read a clip, tokenize it, and, where it comes with text and no word times, align that.

    Without an aligner such a clip stays without word times. One that has word times and no text has the words,
    with spaces between, for text.
    Raises AudioError, and AlignmentError where the text doesn't fit the sound.
    """
    waveform = read_clip(clip)
    text, alignment = clip.text, clip.alignment
    if alignment is None and text and aligner:
        alignment = aligner.align(waveform, text)
    if text is None:
        text = " ".join(word.word for word in alignment.words) if alignment else ""
    return Utterance(clip.id, tokenizer.encode(waveform), text, alignment)


def interleave_clip(
    clip: Clip, tokenizer: Encoder, aligner: Aligner | None, options: SpanOptions, rng: random.Random
) -> Sequence:
    """One sequence of a recording. For several of one recording, `read_utterance` once and `interleave` that.

    Raises AudioError and AlignmentError as `read_utterance` and `interleave` do.
    """
    utterance = read_utterance(clip, tokenizer, aligner)
    return interleave(utterance.units, utterance.text, utterance.alignment, options, rng)
