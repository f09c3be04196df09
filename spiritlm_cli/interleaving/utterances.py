"""From a recording, or its stored units, to an utterance: the units, and the words with their times."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np

from spiritlm_cli.alignment.aligner import Aligner
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import TokenError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Transcript, Waveform
from spiritlm_cli.manifests.word_times import trim_alignment
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import HUBERT_RATE, restore_streams
from spiritlm_cli.tokens.units import Units

# Seconds by which a sound may be longer than its units say: what is left over at its end has none.
_LEFT_OVER = 0.1
# Units without one that repeats: by then a line was written with its runs merged.
_NEVER_UNMERGED = 50
_NO_UNITS = Units(np.zeros(0, dtype=np.int64))


class Encoder(Protocol):
    """What makes units of sound: a `SpeechTokenizer`."""

    def encode(self, waveform: Waveform) -> Units: ...


class ClipEncoder(Protocol):
    """What makes units of many clips: a `SpeechTokenizer`."""

    def encode_stream(
        self, clips: Iterable[Clip | BadClip], *, batch_seconds: float | None = None, workers: int = 2
    ) -> Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]: ...


def read_utterance(clip: Clip, tokenizer: Encoder, aligner: Aligner | None = None) -> Utterance:
    """Read a clip, tokenize it, and, where it comes with text and no word times, align that.

    Without an aligner such a clip stays without word times. One that has word times and no text has the words,
    with spaces between, for text.
    Raises AudioError, and AlignmentError where the text doesn't fit the sound.
    """
    waveform = read_clip(clip)
    alignment = clip.alignment
    if alignment is None and clip.text and aligner:
        alignment = aligner.align(waveform, clip.text)
    return make_utterance(clip.id, tokenizer.encode(waveform), Transcript(clip.text, alignment))


def make_utterance(clip_id: str, units: Units, transcript: Transcript) -> Utterance:
    """Put together what belongs together; see `trim_alignment` for words past the end.

    Raises AlignmentError where the words are of a longer sound than the units.
    """
    text, alignment = transcript.text, transcript.alignment
    if alignment:
        seconds = len(units.hubert) / HUBERT_RATE
        alignment = trim_alignment(alignment, seconds, slack=_LEFT_OVER)
    return Utterance(clip_id, units, transcript_text(text, alignment), alignment)


def transcript_text(text: str | None, alignment: Alignment | None) -> str:
    """The transcript; where there is none, the words, with spaces between."""
    if text is not None:
        return text
    return " ".join(word.word for word in alignment.words) if alignment else ""


def read_utterances(
    clips: Iterable[Clip | BadClip],
    tokenizer: ClipEncoder | None,
    times: WordTimes,
    *,
    batch_seconds: float | None = None,
    workers: int = 2,
) -> Generator[tuple[Clip | BadClip, Outcome[Utterance]], None, None]:
    """Tokenize clips in batches and find their words meanwhile. Yields (clip, outcome) in order.

    tokenizer: None for utterances of text alone, without units. The outcome raises AudioError, ManifestError and
    AlignmentError if the clip can't be used.
    """
    transcripts: deque[Outcome[Transcript]] = deque()

    def submitted() -> Iterator[Clip | BadClip]:
        for clip in clips:
            transcripts.append(times.submit(clip))
            yield clip

    if tokenizer is None:
        for clip in submitted():
            yield clip, Outcome.of(partial(_utterance, clip, None, transcripts.popleft()))
    else:
        encoded = tokenizer.encode_stream(submitted(), batch_seconds=batch_seconds, workers=workers)
        with closing(encoded):
            for clip, units in encoded:
                yield clip, Outcome.of(partial(_utterance, clip, units, transcripts.popleft()))


def _utterance(
    clip: Clip | BadClip, units: Outcome[Units] | None, transcript: Outcome[Transcript]
) -> Utterance:
    if units is None:
        words = transcript.result()
        return Utterance(clip.id, _NO_UNITS, transcript_text(words.text, words.alignment), None)
    return make_utterance(clip.id, units.result(), transcript.result())


def restore_units(sequence: Sequence) -> Units:
    """The streams of a line that was written with its repeats.

    Raises TokenError where there is text in it, or no speech, or where its runs are merged, so that its units have no
    times.
    """
    if len(sequence.spans) != 1 or not sequence.speech:
        raise TokenError("not one span of speech; units come from `spiritlm tokenize --keep-repeats`")
    units = restore_streams(sequence.speech[0])
    frames = len(units.hubert)
    merged = (
        (units.pitch is not None and abs(frames - 2 * len(units.pitch)) > 2)
        or (units.style is not None and abs(frames - 25 * len(units.style)) > 50)
        or (frames >= _NEVER_UNMERGED and not (units.hubert[1:] == units.hubert[:-1]).any())
    )
    if merged:
        raise TokenError(
            "runs of equal units are merged in it; make it with `spiritlm tokenize --keep-repeats`"
        )
    return units
