"""Forced alignment with pocketsphinx: the US English model in its package, nothing to fetch."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from pocketsphinx import Decoder

from spiritlm_cli.alignment.confidence import low_confidence_notes, mean_confidence
from spiritlm_cli.english.abbreviations import Readings
from spiritlm_cli.english.g2p import letters_to_phones
from spiritlm_cli.english.verbalize import verbalize
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Alignment, Waveform, Word

RATE = 16000
FRAMES_PER_SECOND = 100
# of the search, tried in turn: narrow is twice as fast and nearly always enough
BEAMS = (1e-48, 1e-120)
# A word's confidence is 1 / (1 + (badness / TYPICAL) ** STEEPNESS), badness being how far a frame of it is on average
# from the sound that fits it best, in log score. The two numbers were fitted to tell 3,119 words of real and synthetic
# speech from 236 others put in their places: of the right 95 % have more than 0.5, of the wrong 4 %.
TYPICAL = 0.0026
STEEPNESS = 5.0
# The least mean confidence of a text that fits. Measured: clips with their own text have 0.8 to 1 (in noise of 10 dB
# 0.28 at least), with another's of like length 0.28 at most.
WORST_FIT = 0.3
# clips after which a decoder is made anew: it keeps each word that was added to its dictionary
FORGET = 2000
VOICELESS = {"P", "T", "K", "F", "TH"}
HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}


@dataclass(frozen=True)
class Phone:
    """One sound (ARPABET without stress, SIL for silence) and when it is heard, in seconds."""

    phone: str
    start: float
    end: float


class PocketsphinxAligner:
    """When each word of a known English text is said. Not for several threads at once.

    Numbers and abbreviations are verbalized (`verbalize`), words that the dictionary lacks get their phones from
    their letters (`letters_to_phones`). A token with nothing to say, such as `--`, takes no time: it starts
    and ends where the word before it ends, or, before the first word, where that starts; it has no confidence.
    """

    def __init__(self) -> None:
        self._decoders: dict[float, Decoder] = {}
        self._aligned = 0

    def align(self, waveform: Waveform, text: str) -> Alignment:
        """One Word for each whitespace-separated token of `text`, in order, spelt as there; times in seconds.

        Raises AlignmentError where the text has no words, can't be pronounced, or doesn't fit the sound.
        """
        words, _ = self._align(waveform, text, phones=False)
        return words

    def align_phones(self, waveform: Waveform, text: str) -> tuple[Alignment, tuple[Phone, ...]]:
        """The words, and the phones of the whole clip, silences (SIL) included. Raises as `align`."""
        return self._align(waveform, text, phones=True)

    def _align(self, waveform: Waveform, text: str, phones: bool) -> tuple[Alignment, tuple[Phone, ...]]:
        tokens = text.split()
        sound = _pcm(waveform)
        self._aligned += 1
        if self._aligned % FORGET == 0:
            self._decoders.clear()
        for beam in BEAMS:
            decoder = self._decoder(beam)
            # the dictionary's entries that each token is made of
            entries = [
                _entries(decoder, token, previous)
                for token, previous in zip(tokens, ["", *tokens], strict=False)
            ]
            expected = [entry for of_token in entries for entry in of_token]
            if not expected:
                raise AlignmentError("the text has no words to align")
            decoder.set_align_text(" ".join(expected))
            _decode(decoder, sound)
            found = [_Found.of(segment) for segment in decoder.seg() or () if segment.word[0] not in "<[("]
            # a pronunciation's number is behind the word: to(3)
            if [entry.name.split("(")[0] for entry in found] != expected:
                continue
            words = _token_words(tokens, entries, found)
            if mean_confidence(words) >= WORST_FIT:
                return Alignment(words, low_confidence_notes(words)), _phones(
                    decoder, sound
                ) if phones else ()
        raise AlignmentError(
            f"the text does not fit the sound: {len(tokens)} words, {waveform.seconds:.1f} s"
        )

    def _decoder(self, beam: float) -> Decoder:
        if beam not in self._decoders:
            self._decoders[beam] = Decoder(
                lm=None,
                loglevel="FATAL",
                # the lattice's path loses last words and invents frames; the search's own is exact
                bestpath=False,
                beam=beam,
                pbeam=beam,
                wbeam=beam,
            )
        return self._decoders[beam]


def _pcm(waveform: Waveform) -> bytes:
    samples = waveform.samples
    if waveform.rate != RATE:
        samples = soxr.resample(samples, waveform.rate, RATE)
    if len(samples) < RATE // FRAMES_PER_SECOND * 3:
        raise AlignmentError(f"{waveform.seconds:.3f} s of sound is too short to align")
    return np.clip(samples * 32767, -32768, 32767).astype("<i2").tobytes()


def _decode(decoder: Decoder, sound: bytes) -> None:
    # forgets the noise and the mean of the clip before
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()


@dataclass(frozen=True)
class _Found:
    """An entry of the dictionary as it was heard. frames: first, and the one after the last; score: log, 0 at best."""

    name: str
    frames: tuple[int, int]
    score: float

    @classmethod
    def of(cls, segment: Any) -> "_Found":
        score = math.log(segment.ascore) if segment.ascore > 0 else -math.inf
        return cls(segment.word, (segment.start_frame, segment.end_frame + 1), score)


def _token_words(tokens: list[str], entries: list[list[str]], found: list[_Found]) -> tuple[Word, ...]:
    words: list[Word] = []
    place = 0
    for token, of_token in zip(tokens, entries, strict=True):
        if of_token:
            said = found[place : place + len(of_token)]
            place += len(of_token)
            start, end = said[0].frames[0], said[-1].frames[1]
            badness = -sum(entry.score for entry in said) / sum(
                entry.frames[1] - entry.frames[0] for entry in said
            )
            confidence = round(1 / (1 + (badness / TYPICAL) ** STEEPNESS), 3)
            words.append(Word(token, start / FRAMES_PER_SECOND, end / FRAMES_PER_SECOND, confidence))
        else:
            at = words[-1].end if words else found[0].frames[0] / FRAMES_PER_SECOND
            words.append(Word(token, at, at))
    return tuple(words)


def _phones(decoder: Decoder, sound: bytes) -> tuple[Phone, ...]:
    """Of the words just found, by a second pass over the sound."""
    decoder.set_alignment()
    _decode(decoder, sound)
    # copied while iterating: pocketsphinx's items don't outlive their iterator
    return tuple(
        Phone(phone.name, phone.start / FRAMES_PER_SECOND, (phone.start + phone.duration) / FRAMES_PER_SECOND)
        for word in decoder.get_alignment()
        for phone in word
    )


def _entries(decoder: Decoder, token: str, previous: str) -> list[str]:
    """The dictionary entries of a token's words. Adds entries that the dictionary lacks."""
    return [entry for part in verbalize(token, previous) for entry in _part_entries(decoder, token, part)]


def _part_entries(decoder: Decoder, token: str, readings: Readings) -> list[str]:
    if len(readings) == 1:
        return [_entry(decoder, token, word) for word in readings[0]]
    # One entry with a pronunciation for each reading, of which the decoder selects one.
    name = "=" + "=".join("_".join(reading) for reading in readings)
    if decoder.lookup_word(name) is None:
        for variant, reading in enumerate(readings, start=1):
            phones = [decoder.lookup_word(_entry(decoder, token, word)) for word in reading]
            decoder.add_word(name if variant == 1 else f"{name}({variant})", " ".join(phones), False)
    return [name]


def _entry(decoder: Decoder, token: str, word: str) -> str:
    """The dictionary's name of a word, with or without the apostrophes around it."""
    bare = word.strip("'")
    for name in (word, bare):
        if name and decoder.lookup_word(name) is not None:
            return name
    phones = _pronounce(decoder, bare)
    if not phones:
        raise AlignmentError(f"{token!r} has no English pronunciation")
    decoder.add_word(bare, " ".join(phones), False)
    return bare


def _pronounce(decoder: Decoder, word: str) -> list[str]:
    """Phones of a word that the dictionary lacks; empty where it is not written in the letters a-z."""
    stem, apostrophe, ending = word.rpartition("'")
    if apostrophe and ending == "s":
        known = decoder.lookup_word(stem)
        phones = known.split() if known else _pronounce(decoder, stem)
        if not phones:
            return []
        last = phones[-1]
        return [*phones, *(("IH", "Z") if last in HISSING else ("S",) if last in VOICELESS else ("Z",))]
    letters = word.replace("'", "")
    if not (letters.isascii() and letters.isalpha()):
        return []
    if not set(letters) & set("aeiouy"):
        # nobody can say it as a word: spelt out
        return [phone for letter in letters for phone in _letter(decoder, letter)]
    return letters_to_phones(letters)


def _letter(decoder: Decoder, letter: str) -> list[str]:
    # the entry with the full stop is the letter's name where the word differs (a)
    name = decoder.lookup_word(f"{letter}.") or decoder.lookup_word(letter)
    return str(name).split()
