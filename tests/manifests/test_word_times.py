from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.manifests.word_times import AlignmentBuilder, trim_alignment

Times = tuple[float | None, float | None]


def build(*words: tuple[str, float | None, float | None], end: float | None = None) -> Alignment:
    builder = AlignmentBuilder()
    for line_number, (word, start, stop) in enumerate(words, 1):
        builder.add(word, start, stop, f"x.ctm: line {line_number}")
    return builder.build(end)


def test_valid_words_are_unchanged() -> None:
    alignment = build(("the", 0.1, 0.2), ("cat", 0.2, 0.5), ("--", 0.5, 0.5), ("sat", 0.7, 0.9))
    assert alignment.words == (
        Word("the", 0.1, 0.2),
        Word("cat", 0.2, 0.5),
        Word("--", 0.5, 0.5),
        Word("sat", 0.7, 0.9),
    )
    assert alignment.notes == ()


def test_overlapping_words_are_shortened() -> None:
    alignment = build(("the", 0.0, 0.4), ("cat", 0.3, 0.6), ("sat", 0.5, 0.9))
    assert [(word.start, word.end) for word in alignment.words] == [(0.0, 0.3), (0.3, 0.5), (0.5, 0.9)]
    (note,) = alignment.notes
    assert note.startswith("x.ctm: line 2: words overlapped")
    assert note.endswith("and 1 more")


def test_rounding_errors_are_repaired_without_a_note() -> None:
    alignment = build(("the", -0.001, 0.21), ("cat", 0.2, 0.6))
    assert alignment == Alignment((Word("the", 0.0, 0.2), Word("cat", 0.2, 0.6)))
    assert alignment.notes == ()
    assert trim_alignment(alignment, 0.595) == Alignment((Word("the", 0.0, 0.2), Word("cat", 0.2, 0.595)))
    assert trim_alignment(alignment, 0.595).notes == ()


def test_words_without_text_are_left_out() -> None:
    alignment = build(("", 0.0, 0.1), ("a", 0.1, 0.2), ("  ", 0.2, 0.3))
    assert alignment == Alignment((Word("a", 0.1, 0.2),))
    assert alignment.notes == ("x.ctm: line 1: a word without text was left out, and 1 more",)


def test_words_without_times_share_the_gap() -> None:
    alignment = build(("in", 0.0, 0.2), ("2014", None, None), ("or", None, None), ("so", 0.8, 1.0))
    assert [(word.word, round(word.start, 6), round(word.end, 6)) for word in alignment.words] == [
        ("in", 0.0, 0.2),
        ("2014", 0.2, 0.6),
        ("or", 0.6, 0.8),
        ("so", 0.8, 1.0),
    ]
    assert alignment.notes == (
        "x.ctm: line 2: a word had no times, and got those of the gap that it is in, and 1 more",
    )


def test_words_without_times_at_the_ends() -> None:
    assert build(("a", None, None), ("b", 0.5, 0.6)).words[0] == Word("a", 0.0, 0.5)
    assert build(("a", 0.1, 0.2), ("b", None, None)).words[1] == Word("b", 0.2, 0.2)
    assert build(("a", 0.1, 0.2), ("b", None, None), end=0.7).words[1] == Word("b", 0.2, 0.7)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([("the", 0.5, 0.4)], r"line 1: 'the' begins at 0.5 s and ends at 0.4 s, before that"),
        ([("the", 0.5, 0.6), ("cat", 0.4, 0.7)], r"line 2: 'cat' begins at 0.4 s, before the word before it"),
        ([("the", float("nan"), 0.6)], "line 1: 'the' begins at nan s"),
        ([("the", -0.5, 0.6)], "'the' begins at -0.5 s, which is not a valid time"),
        ([("the", 0.5, float("inf"))], "ends at inf s"),
        ([("the", 0.5, None)], "line 1: 'the' has no end"),
        ([("the", None, 0.5)], "line 1: 'the' has no start"),
        ([("th\0e", 0.5, 0.6)], "line 1: a word holds NUL"),
    ],
)
def test_invalid_times_are_refused(words: list[tuple[str, float | None, float | None]], reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        build(*words)


def test_trim_alignment() -> None:
    alignment = build(("the", 0.0, 0.4), ("cat", 0.4, 2.0))
    cut = trim_alignment(alignment, 1.0)
    assert cut.words[1] == Word("cat", 0.4, 1.0)
    assert cut.notes == ("word 2, 'cat', ended at 2.00 s; it now ends with the audio, at 1.00 s",)
    with pytest.raises(
        AlignmentError, match=r"word 2, 'cat', begins at 0.40 s, but the audio ends at 0.20 s"
    ):
        trim_alignment(alignment, 0.2)


times = st.one_of(
    st.just((None, None)),
    st.tuples(st.floats(0, 20), st.floats(0, 3)).map(lambda pair: (pair[0], pair[0] + pair[1])),
)


@given(st.lists(times, max_size=20), st.floats(0, 30))
def test_built_alignment_is_in_time_order(pairs: list[Times], end: float) -> None:
    timed = iter(sorted(pair for pair in pairs if pair[0] is not None))  # type: ignore[type-var]
    words = [("w", *(pair if pair[0] is None else next(timed))) for pair in pairs]
    alignment = build(*words, end=end)
    assert len(alignment.words) == len(words)
    assert all(word.start <= word.end for word in alignment.words)
    assert all(left.end <= right.start for left, right in pairwise(alignment.words))
    last = max((word.end for word in alignment.words), default=0.0)
    assert trim_alignment(alignment, last) == alignment
