import dataclasses
import random
from collections import Counter
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.interleaving.interleave import (
    UnitTimeline,
    Utterance,
    cut_spans,
    draw_lines,
    interleave,
    sample_sequences,
)
from spiritlm_cli.interleaving.spans import Mode, SpanOptions
from spiritlm_cli.interleaving.word_units import timed_words
from spiritlm_cli.manifests.clip import Alignment, Waveform, Word
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import frame_units, merge_streams
from spiritlm_cli.tokens.units import Kind, Unit, Units
from spiritlm_cli.tokens.writer import format_sequence

TEXT = (
    "and a strip of cow skin for a belt to hold it in. "
    "I could show you where to get something, he said at last."
)
SHORT = SpanOptions(text_words=(1, 4), speech_words=(1, 3))


@st.composite
def utterances(draw: st.DrawFn) -> Utterance:
    frames = draw(st.integers(1, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    expressive = draw(st.booleans())
    units = Units(
        hubert=rng.integers(0, 4, frames),
        pitch=rng.integers(0, 3, -(-frames // 2)) if expressive else None,
        style=rng.integers(0, 3, -(-frames // 25)) if expressive else None,
    )
    gaps = draw(st.lists(st.sampled_from([" ", ", ", ".  ", " -- ", "\n"]), min_size=1, max_size=40))
    text = "".join(f"w{index}{gap}" for index, gap in enumerate(gaps))
    tokens = text.split()
    # silences and words of no length too
    times = np.sort(np.round(rng.uniform(0, frames / 25, 2 * len(tokens)), 2))
    words = zip(tokens, times[::2].tolist(), times[1::2].tolist(), strict=True)
    return Utterance("u", units, text, Alignment(tuple(Word(*word) for word in words)))


def aligned(utterance: Utterance) -> Alignment:
    assert utterance.alignment is not None
    return utterance.alignment


def kinds(span: SpeechSpan, kind: Kind) -> list[int]:
    return [unit.id for unit in span.units if unit.kind is kind]


seeds = st.integers(0, 2**32)


@given(utterances(), seeds)
def test_texts_of_cut_spans_are_the_transcript(utterance: Utterance, seed: int) -> None:
    cuts = cut_spans(utterance.units, utterance.text, aligned(utterance), SHORT, random.Random(seed))
    assert "".join(cut.text for cut in cuts) == utterance.text
    assert all(cut.span == TextSpan(cut.text) for cut in cuts if isinstance(cut.span, TextSpan))
    assert [place for cut in cuts for place in range(cut.words.first, cut.words.stop)] == list(
        range(len(timed_words(utterance.text, aligned(utterance))))
    )


@given(utterances(), seeds)
def test_cut_spans_have_the_units_of_their_times(utterance: Utterance, seed: int) -> None:
    options = dataclasses.replace(SHORT, keep_repeats=True)
    cuts = cut_spans(utterance.units, utterance.text, aligned(utterance), options, random.Random(seed))
    words = timed_words(utterance.text, aligned(utterance))
    last = len(words)
    for cut in cuts:
        # a span's sound ends where the next begins
        start = words[cut.words.first].start if cut.words.first else 0
        end = words[cut.words.stop].start if cut.words.stop < last else len(utterance.units.hubert) / 25
        first, stop = (int(np.ceil(seconds * 25 - 0.5 - 1e-9)) for seconds in (start, end))
        expected = utterance.units.hubert[first:stop].tolist()
        if isinstance(cut.span, SpeechSpan):
            assert kinds(cut.span, Kind.HUBERT) == expected
            assert abs(len(expected) - (end - start) * 25) <= 1
        elif options.words(cut.words.modality) == options.speech_words:
            assert not expected


@given(utterances(), st.integers(0, 299), st.integers(1, 300))
def test_cut_starts_with_the_style_and_pitch_in_effect(utterance: Utterance, first: int, length: int) -> None:
    units = utterance.units
    first %= len(units.hubert)
    stop = min(first + length, len(units.hubert))
    span = UnitTimeline(units).cut(first, stop, keep_repeats=True)
    whole = frame_units(merge_streams(units, keep_repeats=True).units)
    alone = frame_units(span.units)
    # each phonetic unit has the pitch and style that it has in the whole clip
    assert alone.hubert.tolist() == whole.hubert[first:stop].tolist()
    for stream in ("pitch", "style"):
        there, here = getattr(whole, stream), getattr(alone, stream)
        assert (here is None) == (there is None)
        if there is not None:
            assert here.tolist() == there[first:stop].tolist()
    opening = "".join(unit.kind.value for unit in span.units[:3])
    assert opening.startswith("StPiHu" if units.pitch is not None else "Hu")
    # repeats are merged within the span
    merged = UnitTimeline(units).cut(first, stop)
    for kind in (Kind.HUBERT, Kind.PITCH):
        assert kinds(merged, kind) == [value for value, _ in groupby(kinds(span, kind))]
    assert kinds(merged, Kind.STYLE) == kinds(span, Kind.STYLE)


@given(utterances(), st.booleans())
def test_cut_of_all_units_is_the_clip(utterance: Utterance, keep_repeats: bool) -> None:
    units = utterance.units
    assert UnitTimeline(units).cut(0, len(units.hubert), keep_repeats) == merge_streams(units, keep_repeats)


@given(utterances(), seeds)
def test_interleave_is_reproducible(utterance: Utterance, seed: int) -> None:
    lines = [list(draw_lines([utterance], SHORT, seed=seed)) for _ in range(2)]
    assert lines[0] == lines[1]
    assert parse_sequence(format_sequence(lines[0][0].sequence)) == lines[0][0].sequence


@given(utterances(), seeds)
def test_cut_spans_are_in_range_if_every_word_has_units(utterance: Utterance, seed: int) -> None:
    cuts = cut_spans(utterance.units, utterance.text, aligned(utterance), SHORT, random.Random(seed))
    spans = interleave(utterance.units, utterance.text, utterance.alignment, SHORT, random.Random(seed)).spans
    # a span of speech in which nothing is heard stays text, and is one with the text around it
    heard = all(left.words.modality is not right.words.modality for left, right in pairwise(cuts))
    assert (len(spans) == len(cuts)) == heard
    assert all(
        cut.words.stop - cut.words.first <= SHORT.words(cut.words.modality)[1] for cut in cuts if heard
    )


def test_sample_sequences(real: Utterance) -> None:
    others = [real, dataclasses.replace(real, id="other", text=TEXT.upper())]
    drawn = sample_sequences(others, SpanOptions(), random.Random(3))
    found = [next(drawn) for _ in range(60)]
    assert len(set(found)) > 20
    assert {sequence.text.isupper() for sequence in found if sequence.text} == {True, False}
    again = sample_sequences(others, SpanOptions(), random.Random(3))
    assert [next(again) for _ in range(60)] == found


def test_untranscribed_intervals_are_left_out() -> None:
    alignment = Alignment((Word("the", 0.0, 0.2), Word("cat", 0.6, 0.8)))
    units = Units(np.arange(26), np.repeat([7, 8], [7, 6]), np.array([3, 4]))
    options = SpanOptions(text_words=(1, 1), speech_words=(1, 1))
    gaps = ((0.2, 0.6), (0.8, 1.04))
    lines = {
        format_sequence(interleave(units, "the cat", alignment, options, random.Random(seed), gaps))
        for seed in range(20)
    }
    assert lines == {
        "[SPEECH][St3][Pi7][Hu0][Hu1][Hu2][Hu3][Hu4][TEXT]cat",
        "[TEXT]the [SPEECH][St3][Pi8][Hu15][Hu16][Hu17][Hu18][Hu19]",
    }
    asr = SpanOptions(Mode.ASR)
    assert format_sequence(interleave(units, "the cat", alignment, asr, random.Random(0), gaps)) == (
        "[SPEECH][St3][Pi7][Hu0][Hu1][Hu2][Hu3][Hu4][St3][Pi8][Hu15][Hu16][Hu17][Hu18][Hu19][TEXT]the cat"
    )
    speech = SpanOptions(Mode.SPEECH)
    assert interleave(units, "", None, speech, random.Random(0), gaps).speech[0] == merge_streams(units)


def test_interleave_has_the_form_of_the_paper() -> None:
    words = ("the", 0.0, 0.2), ("cat", 0.2, 0.4), ("sat", 0.5, 0.9), ("on", 0.9, 1.0)
    alignment = Alignment(tuple(Word(*word) for word in words))
    units = Units(
        hubert=np.repeat(np.arange(13), 2),
        pitch=np.repeat([7, 8], [7, 6]),
        style=np.array([3, 4]),
    )
    options = SpanOptions(text_words=(2, 2), speech_words=(2, 2))
    lines = {
        format_sequence(interleave(units, "the cat sat on.", alignment, options, random.Random(seed)))
        for seed in range(20)
    }
    assert lines == {
        # the pause from 0.4 s to 0.5 s goes with the cat; the pitch changes at 0.56 s
        "[TEXT]the cat [SPEECH][St3][Pi7][Hu6][Pi8][Hu7][Hu8][Hu9][Hu10][Hu11][Hu12][St4]",
        "[SPEECH][St3][Pi7][Hu0][Hu1][Hu2][Hu3][Hu4][Hu5][TEXT]sat on.",
    }


def test_cut_spans_without_units_are_text() -> None:
    alignment = Alignment((Word("a", 0.0, 0.5), Word("h", 0.5, 0.5), Word("b", 0.5, 1.0)))
    units = Units(hubert=np.arange(25))
    options = SpanOptions(text_words=(1, 1), speech_words=(1, 1))
    found = {
        format_sequence(interleave(units, "a h b", alignment, options, random.Random(seed)))
        for seed in range(20)
    }
    assert "[TEXT]a h b" in found
    assert all("h" in line for line in found if line.startswith("[TEXT]"))


def test_a_dash_and_its_pause_belong_to_the_word_before() -> None:
    units = Units(hubert=np.arange(25))
    options = SpanOptions(text_words=(1, 1), speech_words=(1, 1))
    listed = Alignment((Word("x", 0.0, 0.3), Word("--", 0.3, 0.3), Word("y", 0.7, 1.0)))
    for alignment in (listed, Alignment((listed.words[0], listed.words[2]))):
        found = {
            format_sequence(interleave(units, "x -- y", alignment, options, random.Random(seed)))
            for seed in range(20)
        }
        first, second = ("".join(f"[Hu{n}]" for n in part) for part in (range(17), range(17, 25)))
        assert found == {f"[SPEECH]{first}[TEXT]y", f"[TEXT]x -- [SPEECH]{second}"}


def test_interleave_in_other_modes() -> None:
    units = Units(hubert=np.array([1, 1, 2]))
    alignment = Alignment((Word("hi", 0.0, 0.1),))

    def line(mode: Mode) -> str:
        return format_sequence(interleave(units, "Hi!", alignment, SpanOptions(mode), random.Random(0)))

    assert line(Mode.SPEECH) == "[SPEECH][Hu1][Hu2]"
    assert line(Mode.TEXT) == "[TEXT]Hi!"
    assert line(Mode.ASR) == "[SPEECH][Hu1][Hu2][TEXT]Hi!"
    assert line(Mode.TTS) == "[TEXT]Hi![SPEECH][Hu1][Hu2]"
    assert line(Mode.INTERLEAVE) in ("[SPEECH][Hu1][Hu2]", "[TEXT]Hi!")


@pytest.fixture
def real(recording: Waveform, published_units: Units, aligner: PocketsphinxAligner) -> Utterance:
    # the published units are the whole recording's; the text stops with the second sentence
    alignment = aligner.align(Waveform(recording.samples[: int(7.1 * 16000)], 16000), TEXT)
    units = Units(published_units.hubert[:177], published_units.pitch[:89], published_units.style[:8])  # type: ignore[index]
    return Utterance("7143-88743-0029", units, TEXT, alignment)


def test_interleave_a_recording(real: Utterance) -> None:
    published = merge_streams(real.units, keep_repeats=True).units
    place = {unit: published.index(unit) for unit in published}
    for seed in range(20):
        (line,) = draw_lines([real], SpanOptions(), seed=seed)
        spans = line.sequence.spans
        assert all(type(left) is not type(right) for left, right in pairwise(spans))
        text = [span.text for span in spans if isinstance(span, TextSpan)]
        assert all(part in TEXT for part in text)
        assert 10 <= sum(len(part.split()) for part in text) < len(TEXT.split())
        for span in line.sequence.speech:
            assert [unit.kind for unit in span.units[:3]] == [Kind.STYLE, Kind.PITCH, Kind.HUBERT]
            assert all(unit in place for unit in span.units)


def test_draw_lines_depends_on_epoch_copy_and_seed(real: Utterance) -> None:
    def lines(**how: int) -> list[Sequence]:
        return [line.sequence for line in draw_lines([real], SpanOptions(), **how)]

    assert lines(seed=1) == lines(seed=1)
    epochs = [lines(epoch=epoch)[0] for epoch in range(20)]
    assert len(Counter(epochs)) > 10
    assert len(Counter(lines(copies=20))) > 10
    assert len(Counter(lines(seed=seed)[0] for seed in range(20))) > 10


def test_draw_lines_is_independent_of_other_utterances(real: Utterance) -> None:
    others = [dataclasses.replace(real, id=f"other-{place}") for place in range(3)]
    (alone,) = draw_lines([real], SpanOptions(), seed=5)
    assert list(draw_lines([*others, real], SpanOptions(), seed=5))[-1] == alone


def test_draw_lines_ids(real: Utterance) -> None:
    assert [line.id for line in draw_lines([real], SpanOptions())] == [real.id]
    assert [line.id for line in draw_lines([real], SpanOptions(), copies=2)] == [
        f"{real.id}#0",
        f"{real.id}#1",
    ]


def test_cut_keeps_the_type_of_units(real: Utterance) -> None:
    (line,) = draw_lines([real], SpanOptions(Mode.SPEECH))
    assert all(isinstance(unit, Unit) and type(unit.id) is int for unit in line.sequence.speech[0].units)
