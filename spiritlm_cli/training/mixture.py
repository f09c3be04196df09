"""Mixture of sources that training sequences of the language model are drawn from."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.alignment.pool import POCKETSPHINX, available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.console import notify, track
from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.interleaving.interleave import Utterance, sample_sequences
from spiritlm_cli.interleaving.spans import SpanOptions
from spiritlm_cli.interleaving.utterances import make_utterance
from spiritlm_cli.manifests.labels import without_labels
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.text_files import bounded_lines, numbered_lines, valid_lines
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Header, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.training.aligned_units import AlignedUnits
from spiritlm_cli.training.data import read_units
from spiritlm_cli.training.epochs import Epochs
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.pairs import (
    ClipPairs,
    DrawPairs,
    Form,
    LabeledSequence,
    TranscriptionExamples,
    speech_first,
    take_pairs,
    text_first,
)
from spiritlm_cli.training.phones import load_phones
from spiritlm_cli.training.unit_selection import PhoneClip, UnitSelector

# Probability of each kind of sequence. Spirit LM (Nguyen et al. 2024) trains on a third each of text, speech and
# interleaved sequences. Here these are about a third of the tokens together; the others are parallel pairs, as in its
# "+ASR+TTS" ablation. With few hours of speech, a small model does not learn from interleaving alone that speech and
# text correspond.
SHARES = {
    "text": 0.15,
    "speech": 0.03,
    "interleaved": 0.07,
    "to text": 0.46,
    "to speech": 0.24,
    "examples": 0.05,
}
Draw = Callable[[random.Random, int], LabeledSequence]


@dataclass(frozen=True)
class Source:
    """A source of training sequences.

    share: of the tokens of the training, relative to that of other sources. draw: returns a new sequence, given a
    random number generator and how many sequences the training has drawn from the source before; a source of finitely
    many documents has them in epochs (`Epochs`). transcript: each text of its sequences is the transcript of the speech
    before it. spoken: each speech is a reading of the text before it.
    """

    share: float
    draw: Draw
    transcript: bool = False
    spoken: bool = False


def read_utterances(manifest: Path, units: Path) -> list[tuple[str, Utterance]]:
    """Read the clips of a manifest that have text, and units in the JSONL `units`. Returns speakers and utterances.

    Clips without word times are aligned. A clip that can't be aligned is left out and reported on stderr.
    Raises ManifestError for an invalid file.
    """
    units_of = read_units(units)
    utterances = []
    with WordTimes(aligner=POCKETSPHINX, workers=available_cpus()) as times:
        labeled = (clip for clip in read_manifest(manifest) if clip.text and clip.id in units_of)
        clips = [without_labels(clip)[0] for clip in labeled]
        clips = [clip for clip in clips if len(units_of[clip.id].hubert)]
        submitted = [(clip, times.submit(clip)) for clip in clips]
        for clip, future in track(submitted, "words of clips", len(clips)):
            try:
                utterance = make_utterance(clip.id, units_of[clip.id], future.result())
            except AlignmentError as error:
                notify(f"{clip.id}: left out: {error}")
            else:
                utterances.append((clip.speaker or "", utterance))
    return utterances


def sources(options: LanguageModelOptions) -> tuple[list[Source], list[str]]:
    """Create the sources of a training run. Returns them, and all of their texts, from which a vocabulary is learned.

    Raises ManifestError if the options name no data, or data without content.
    """
    mixture: list[Source] = []
    documents = _read_documents(options.text) if options.text else []
    texts = list(documents)
    if options.manifest and options.units:
        utterances = read_utterances(options.manifest, options.units)
        if not utterances:
            raise ManifestError(f"{options.manifest}: no clip has text, and units in {options.units}")
        texts = [u.text for _, u in utterances] + texts
        mixture += _speech_sources(options, utterances, documents)
    if documents:
        text_of = Epochs(len(documents), options.seed, "text")
        mixture.append(Source(SHARES["text"], lambda rng, number: _text(documents[text_of(number)])))
    if options.lines:
        lines = _read_sequences(options.lines)
        if not lines:
            raise ManifestError(f"{options.lines}: there are no tokens")
        texts += [sequence.text for sequence in lines]
        line_of = Epochs(len(lines), options.seed, "lines")
        mixture.append(Source(1.0, lambda rng, number: LabeledSequence(lines[line_of(number)])))
    if not mixture:
        raise ManifestError("nothing to train on: give --text, --lines, or --manifest with --units")
    return mixture, texts


def _read_documents(path: Path) -> list[str]:
    documents = [line for _, line in valid_lines(numbered_lines(path)) if line.strip()]
    if not documents:
        raise ManifestError(f"{path}: there is no text")
    return documents


def _text(document: str) -> LabeledSequence:
    return LabeledSequence(Sequence.of([TextSpan(document)]))


def _speech_sources(
    options: LanguageModelOptions, utterances: list[tuple[str, Utterance]], documents: list[str]
) -> list[Source]:
    clip_of = Epochs(len(utterances), options.seed, "interleaved")

    def interleaved(rng: random.Random, number: int) -> LabeledSequence:
        _, utterance = utterances[clip_of(number)]
        return LabeledSequence(next(sample_sequences([utterance], SpanOptions(), rng)))

    mixture = [
        Source(SHARES["interleaved"], interleaved),
        Source(SHARES["speech"], _continuous_speech(utterances)),
    ]
    weighted: list[tuple[float, DrawPairs]] = [(1.0, ClipPairs(utterances, options.words))]
    if options.phones:
        pairs = selected_pairs(options, utterances, documents)
        weighted = [(1 - options.selected, weighted[0][1]), (options.selected, pairs)]
    for share, draw in weighted:
        for name, form in (
            ("to text", speech_first),
            ("to speech", text_first),
            ("examples", TranscriptionExamples()),
        ):
            mixture.append(
                Source(
                    share * SHARES[name],
                    _pair_source(draw, form, options.phonetic),
                    transcript=name != "to speech",
                    spoken=name == "to speech",
                )
            )
    return mixture


def selected_pairs(
    options: LanguageModelOptions, utterances: list[tuple[str, Utterance]], documents: list[str]
) -> DrawPairs:
    """Return a function that makes parallel pairs for random parts of `documents` by unit selection.

    Each call uses the voice of one random speaker. Raises ManifestError if there are no documents, or no clip has
    phones.
    """
    assert options.phones
    assert options.manifest
    phones = load_phones(options.phones, options.manifest)
    clips = [PhoneClip(speaker, u.units, phones[u.id]) for speaker, u in utterances if u.id in phones]
    if not clips or not documents:
        raise ManifestError(f"{options.phones}: unit selection needs --text, and clips of the manifest")
    selector = UnitSelector(clips)

    def draw(rng: random.Random) -> list[AlignedUnits]:
        longest = int((options.words + 1) ** rng.random())
        return take_pairs(selector.pairs(documents, longest, rng.choice(selector.speakers), rng), rng)

    return draw


def _pair_source(draw: DrawPairs, form: Form, phonetic: float) -> Draw:
    def draw_sequence(rng: random.Random, number: int) -> LabeledSequence:
        pairs = draw(rng)
        return form([pair.phonetic() for pair in pairs] if rng.random() < phonetic else pairs)

    return draw_sequence


def _continuous_speech(utterances: list[tuple[str, Utterance]]) -> Draw:
    """Return a function that draws speech without text: 4 to 8 utterances of one speaker.

    Several utterances, so that the model learns to continue after the end of one.
    """
    spans: dict[str, list[SpeechSpan]] = {}
    for speaker, utterance in utterances:
        spans.setdefault(speaker, []).append(merge_streams(utterance.units))
    speakers = [speaker for speaker, _ in utterances]

    def draw(rng: random.Random, number: int) -> LabeledSequence:
        return LabeledSequence(Sequence.of(rng.choices(spans[rng.choice(speakers)], k=rng.randint(4, 8))))

    return draw


def _read_sequences(path: Path) -> list[Sequence]:
    sequences = []
    with path.open("rb") as stream:
        for line in read_lines(bounded_lines(stream)):
            if isinstance(line, BadLine):
                raise line.error
            if not isinstance(line, Header) and line.sequence.spans:
                sequences.append(line.sequence)
    return sequences
