"""Mixture of sources that training sequences of the language model are drawn from."""

import random
from collections.abc import Callable, Container, Iterable, Set, Sized
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from spiritlm_cli.console import notify
from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.interleaving.interleave import sample_sequences
from spiritlm_cli.interleaving.spans import SpanOptions
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.training.aligned_units import AlignedUnits
from spiritlm_cli.training.corpus import (
    Clips,
    Corpus,
    list_files,
    read_sequences,
    read_texts,
    read_utterances,
)
from spiritlm_cli.training.epochs import Epochs
from spiritlm_cli.training.highest_units import HighestUnits
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.mix import ALIGNED, KINDS, PAIRED, wanted_shares
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
from spiritlm_cli.training.prepared import join_corpora, read_prepared
from spiritlm_cli.training.random_words import RandomWords
from spiritlm_cli.training.task_examples import task_source
from spiritlm_cli.training.unit_selection import PhoneClip, UnitSelector

Item = TypeVar("Item")
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


def read_corpus(options: LanguageModelOptions) -> Corpus:
    """Read the data of a training run. Raises ManifestError for data without content."""
    prepared = [read_prepared(folder) for folder in options.data]
    highest = HighestUnits()
    utterances = []
    if options.manifest and options.units:
        align = not ALIGNED.isdisjoint(wanted_shares(options.mix, options.task))
        utterances = read_utterances(options.manifest, options.units, align, highest)
    read = Corpus(
        [text for path in list_files(options.text) for text in read_texts(path)],
        [sequence for path in list_files(options.lines) for sequence in read_sequences(path, highest)],
        Clips.of(utterances),
    )
    for corpus in prepared:
        highest.merge(corpus.highest)
    return replace(join_corpora([*prepared, read]), highest=highest)


def sources(options: LanguageModelOptions, corpus: Corpus) -> list[Source]:
    """Create the sources of a training run.

    Raises ManifestError if the options name no data, or too little for the kinds of --mix.
    """
    drawn = available(options, corpus)
    if not drawn:
        raise ManifestError("nothing to train on: give --data, --text, --lines, or --manifest with --units")
    shares = wanted_shares(options.mix, options.task)
    if options.mix or options.task:
        if missing := [kind for kind in shares if kind not in drawn]:
            raise ManifestError(
                f"--mix has {', '.join(missing)}, for which there are no data; there are data for {', '.join(drawn)}"
            )
    else:
        shares = {kind: share for kind, share in shares.items() if kind in drawn}
    _check_text(options, corpus, shares)
    _notify_unused(options, corpus, set(shares))
    return [
        Source(share, drawn[kind], transcript=kind in ("asr", "examples"), spoken=kind == "tts")
        for kind, share in shares.items()
    ]


def _check_text(options: LanguageModelOptions, corpus: Corpus, kinds: Container[str]) -> None:
    """Raise OptionError for --loss text where no sequence of these kinds has text."""
    others = [kind for kind in KINDS if kind not in ("speech", "lines") and kind in kinds]
    if options.loss == "text" and not others and not any(line.text for line in corpus.lines):
        raise OptionError("is text, and there is none in the data that are trained on", "--loss")


def _notify_unused(options: LanguageModelOptions, corpus: Corpus, kinds: set[str]) -> None:
    """Say which of the data no sequence of these kinds is made of."""
    of_texts = {"text"} | (kinds & PAIRED if options.phones else set())
    given: dict[str, tuple[Sized, Set[str]]] = {
        "texts": (corpus.texts, of_texts),
        "token lines": (corpus.lines, {"lines", "task"}),
        "clips": (corpus.clips, {"speech", "task", *ALIGNED}),
    }
    for name, (items, users) in given.items():
        if len(items) and not users & kinds:
            notify(f"the {len(items)} {name} are not trained on: --mix has {', '.join(sorted(kinds))}")


def available(options: LanguageModelOptions, corpus: Corpus) -> dict[str, Draw]:
    """The kinds of sequences for which there are data, and the functions that draw them."""
    seed, clips = options.seed, corpus.clips
    drawn: dict[str, Draw] = {}
    if corpus.texts:
        drawn["text"] = _epochs(corpus.texts, _text, seed, "text")
    if corpus.lines:
        drawn["lines"] = _epochs(corpus.lines, LabeledSequence, seed, "lines")
    if len(clips):
        drawn["speech"] = _continuous_speech(clips, seed)
    if options.task:
        drawn["task"] = task_source(options, corpus)
    aligned = np.flatnonzero(clips.words)
    if len(aligned):
        pairs = ClipPairs(clips, options.words)
        utterance_of = Epochs(len(aligned), seed, "interleaved")
        word_of = Epochs(len(aligned), seed, "words")

        def interleaved(rng: random.Random, number: int) -> LabeledSequence:
            utterance = clips.utterances[aligned[utterance_of(number)]]
            return LabeledSequence(next(sample_sequences([utterance], SpanOptions(), rng)))

        def words(rng: random.Random, number: int) -> LabeledSequence:
            return speech_first(pairs.words(int(aligned[word_of(number)])))

        drawn |= {"interleaved": interleaved, "words": words}
        ways: list[tuple[float, DrawPairs]] = [(1.0, pairs)]
        if options.phones:
            ways = [(1 - options.selected, pairs), (options.selected, selected_pairs(options, corpus))]
        forms: dict[str, Form] = {
            "asr": speech_first, "tts": text_first, "examples": TranscriptionExamples(),
        }  # fmt: skip
        drawn |= {kind: _pair_source(ways, form, options.phonetic) for kind, form in forms.items()}
    return drawn


def _epochs(
    items: TypingSequence[Item], form: Callable[[Item], LabeledSequence], seed: int, name: str
) -> Draw:
    item_of = Epochs(len(items), seed, name)
    return lambda rng, number: form(items[item_of(number)])


def _text(document: str) -> LabeledSequence:
    return LabeledSequence(Sequence.of([TextSpan(document)]))


def selected_pairs(options: LanguageModelOptions, corpus: Corpus) -> DrawPairs:
    """Return a function that makes parallel pairs for random parts of the texts by unit selection.

    Each call uses the voice of one random speaker. Half of the calls make one or two pairs of whole sentences, the
    others pairs of a few words, as many as a sequence of recorded clips has. Raises ManifestError if there are no
    texts, or no clip has phones.
    """
    assert options.phones
    if not options.manifest:
        raise ManifestError("--phones needs --manifest, whose clips it is of")
    phones = load_phones(options.phones, options.manifest)
    speakers, texts = corpus.clips.speakers, corpus.texts
    named = zip(speakers, corpus.clips.utterances, strict=True)
    clips = [PhoneClip(speaker, u.units, phones[u.id]) for speaker, u in named if u.id in phones]
    if not clips or not texts:
        raise ManifestError(f"{options.phones}: unit selection needs --text, and clips of the manifest")
    random_words = RandomWords(texts, options.random_words) if options.random_words else None
    selector = UnitSelector(clips, random_words=random_words)

    def draw(rng: random.Random) -> list[AlignedUnits]:
        speaker = rng.choice(selector.speakers)
        if rng.random() < 1 / 2:
            return list(islice(selector.sentences(texts, options.words, speaker, rng), rng.randint(1, 2)))
        longest = int((options.words + 1) ** rng.random())
        return take_pairs(selector.pairs(texts, longest, speaker, rng), rng)

    return draw


def _pair_source(ways: Iterable[tuple[float, DrawPairs]], form: Form, phonetic: float) -> Draw:
    """ways: probabilities, and functions that draw pairs. phonetic: probability of pairs with phonetic units alone."""
    probabilities, draws = zip(*ways, strict=True)

    def draw_sequence(rng: random.Random, number: int) -> LabeledSequence:
        pairs = rng.choices(draws, probabilities)[0](rng)
        return form([pair.phonetic() for pair in pairs] if rng.random() < phonetic else pairs)

    return draw_sequence


def _continuous_speech(clips: Clips, seed: int) -> Draw:
    """Return a function that draws speech without text: a clip, and 3 to 7 more of its speaker.

    Several clips, so that the model learns to continue after the end of one.
    """
    of_speaker = clips.of_speakers(np.arange(len(clips)))
    clip_of = Epochs(len(clips), seed, "speech")

    def draw(rng: random.Random, number: int) -> LabeledSequence:
        first = clip_of(number)
        others = rng.choices(of_speaker[clips.speakers[first]], k=rng.randint(3, 7))
        spans = [merge_streams(clips.utterances[index].units) for index in (first, *others)]
        return LabeledSequence(Sequence.of(spans))

    return draw
