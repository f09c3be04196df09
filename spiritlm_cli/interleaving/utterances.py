"""Utterances (units, text and word times) from recordings or from lines of units."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np

from spiritlm_cli.alignment.aligner import Aligner
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AudioError, TokenError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.interleaving.untranscribed import Interval, find_untranscribed, long_gaps
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Transcript, Waveform
from spiritlm_cli.manifests.labels import without_labels
from spiritlm_cli.manifests.word_times import trim_alignment
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import HUBERT_RATE, restore_streams
from spiritlm_cli.tokens.units import Units

# Seconds of audio that may follow the last unit of a clip.
_MAX_REMAINDER = 0.1
# A line of at least this many units, no two adjacent ones of which are equal, was written with its runs merged.
_MIN_UNITS_WITHOUT_REPEATS = 50
_NO_UNITS = Units(np.zeros(0, dtype=np.int64))


class Encoder(Protocol):
    """Encodes waveforms as units, like `SpeechTokenizer`."""

    def encode(self, waveform: Waveform) -> Units: ...


class ClipEncoder(Protocol):
    """Encodes many clips as units, like `SpeechTokenizer`."""

    def encode_stream(
        self, clips: Iterable[Clip | BadClip], *, batch_seconds: float | None = None, workers: int = 2
    ) -> Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]: ...


def read_utterance(clip: Clip, tokenizer: Encoder, aligner: Aligner | None = None) -> Utterance:
    """Read and tokenize a clip, and align its text if it has no word times and there is an aligner.

    The text of a clip with word times but no text is its words joined by spaces. Labels of silence and noise are left
    out (`without_labels`). Raises AudioError, ManifestError for a label of an unknown word, and AlignmentError if the
    text doesn't match the audio.
    """
    clip, _ = without_labels(clip)
    waveform = read_clip(clip)
    alignment = clip.alignment
    if alignment is None and clip.text and aligner:
        alignment = aligner.align(waveform, clip.text)
    utterance = make_utterance(clip.id, tokenizer.encode(waveform), Transcript(clip.text, alignment))
    return leave_out_untranscribed(utterance, waveform)


def make_utterance(clip_id: str, units: Units, transcript: Transcript) -> Utterance:
    """Combine units and transcript. A word that ends after the last unit is cut off there (`trim_alignment`).

    Raises AlignmentError if a word starts after the last unit.
    """
    text, alignment = transcript.text, transcript.alignment
    if alignment:
        seconds = len(units.hubert) / HUBERT_RATE
        alignment = trim_alignment(alignment, seconds, slack=_MAX_REMAINDER)
    return Utterance(clip_id, units, transcript_text(text, alignment), alignment)


def leave_out_untranscribed(utterance: Utterance, sound: Waveform | Clip | None) -> Utterance:
    """Return an utterance with the intervals of speech that its transcript does not have, and notes that name them.

    sound: the clip, which is read if there are long gaps between the words; None, and a clip that can't be read again,
    have a note for each long gap instead, and nothing is left out.
    """
    alignment = utterance.alignment
    gaps = long_gaps(alignment, utterance.seconds) if alignment else ()
    if alignment is None or not gaps:
        return utterance
    if isinstance(sound, Clip):
        try:
            sound = None if sound.source == "-" else read_clip(sound)
        except AudioError:
            sound = None
    reason = "no words, and no sound to measure whether it is silent; its units are kept"
    found: tuple[Interval, ...] = ()
    if sound is not None:
        gaps = found = find_untranscribed(sound, alignment)
        reason = "speech or noise that the text does not have; its units are left out"
    notes = tuple(f"from {start:.2f} to {end:.2f} s: {reason}" for start, end in gaps)
    return replace(
        utterance, alignment=Alignment(alignment.words, alignment.notes + notes), untranscribed=found
    )


def transcript_text(text: str | None, alignment: Alignment | None) -> str:
    """The text, or else the words of the alignment joined by spaces."""
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
    measure_gaps: bool = True,
) -> Generator[tuple[Clip | BadClip, Outcome[Utterance]], None, None]:
    """Tokenize clips in batches while their words are aligned. Yields (clip, outcome) in order.

    tokenizer: None for utterances without units. measure_gaps: see `leave_out_untranscribed`.
    The outcome raises AudioError, ManifestError and AlignmentError if the clip can't be used.
    """
    transcripts: deque[Outcome[Transcript]] = deque()

    def submit_all() -> Iterator[Clip | BadClip]:
        for clip in clips:
            transcripts.append(times.submit(clip))
            yield clip

    if tokenizer is None:
        for clip in submit_all():
            yield clip, Outcome.of(partial(_utterance, clip, None, transcripts.popleft()))
    else:
        encoded = tokenizer.encode_stream(submit_all(), batch_seconds=batch_seconds, workers=workers)
        with closing(encoded):
            for clip, units in encoded:
                outcome = Outcome.of(partial(_utterance, clip, units, transcripts.popleft()))
                if measure_gaps and isinstance(clip, Clip):
                    outcome = outcome.map(partial(leave_out_untranscribed, sound=clip))
                yield clip, outcome


def _utterance(
    clip: Clip | BadClip, units: Outcome[Units] | None, transcript: Outcome[Transcript]
) -> Utterance:
    if units is None:
        text_only = transcript.result()
        return Utterance(clip.id, _NO_UNITS, transcript_text(text_only.text, text_only.alignment), None)
    return make_utterance(clip.id, units.result(), transcript.result())


def restore_units(sequence: Sequence) -> Units:
    """The unit streams of a line that was written by `tokenize --keep-repeats`.

    Raises TokenError if the line has text or no speech, and if its runs are merged, since then its units have no times.
    """
    if len(sequence.spans) != 1 or not sequence.speech:
        raise TokenError("not one span of speech; units come from `spiritlm tokenize --keep-repeats`")
    units = restore_streams(sequence.speech[0])
    frames = len(units.hubert)
    merged = (
        (units.pitch is not None and abs(frames - 2 * len(units.pitch)) > 2)
        or (units.style is not None and abs(frames - 25 * len(units.style)) > 50)
        or (frames >= _MIN_UNITS_WITHOUT_REPEATS and not (units.hubert[1:] == units.hubert[:-1]).any())
    )
    if merged:
        raise TokenError(
            "runs of equal units are merged in it; make it with `spiritlm tokenize --keep-repeats`"
        )
    return units
