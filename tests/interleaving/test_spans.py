import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.interleaving.spans import Modality, SpanOptions, draw_spans

span_range = st.tuples(st.integers(1, 12), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
any_options = st.builds(SpanOptions, text_words=span_range, speech_words=span_range)
seeds = st.integers(0, 2**32)


@given(st.integers(0, 120), any_options, seeds)
def test_draw_spans_alternate_and_cover_every_word(words: int, options: SpanOptions, seed: int) -> None:
    spans = draw_spans(words, options, random.Random(seed))
    assert [index for span in spans for index in range(span.first, span.stop)] == list(range(words))
    assert all(left.modality is right.modality.other for left, right in pairwise(spans))
    assert len(spans) >= min(words, 2)


@given(st.integers(0, 120), any_options, seeds)
def test_draw_spans_lengths(words: int, options: SpanOptions, seed: int) -> None:
    spans = draw_spans(words, options, random.Random(seed))
    lengths = [(span.stop - span.first, *options.words(span.modality)) for span in spans]
    assert all(length <= most for length, _, most in lengths)
    two_shortest = options.text_words[0] + options.speech_words[0]
    full = lengths[:-1] if words >= two_shortest else []
    assert all(least <= length for length, least, _ in full)
    if words < two_shortest:
        assert len(spans) == min(words, 2)


@given(st.integers(15, 300), seeds)
def test_draw_spans_with_the_ranges_of_the_paper(words: int, seed: int) -> None:
    options = SpanOptions()
    spans = draw_spans(words, options, random.Random(seed))
    short = [span for span in spans if span.stop - span.first < options.words(span.modality)[0]]
    assert not short


@given(st.integers(1, 100), any_options, seeds)
def test_draw_spans_is_reproducible(words: int, options: SpanOptions, seed: int) -> None:
    drawn = [draw_spans(words, options, random.Random(seed)) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_draw_spans_covers_all_modalities_and_lengths() -> None:
    drawn = [draw_spans(200, SpanOptions(), random.Random(seed)) for seed in range(200)]
    assert 60 < sum(spans[0].modality is Modality.TEXT for spans in drawn) < 140
    lengths = {modality: set[int]() for modality in Modality}
    for spans in drawn:
        for span in spans:
            lengths[span.modality].add(span.stop - span.first)
    assert lengths[Modality.TEXT] == set(range(10, 31))
    assert lengths[Modality.SPEECH] == set(range(5, 16))


@pytest.mark.parametrize("bounds", [(0, 5), (6, 5), (-1, 1)])
def test_span_options_refuse_invalid_ranges(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="words"):
        SpanOptions(text_words=bounds)
