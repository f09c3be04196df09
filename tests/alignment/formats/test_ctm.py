import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.alignment.formats.ctm import format_ctm, read_ctm
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Word

KALDI = """\
;; hypotheses of 2024-05-01
1089-134686-0000 1 0.48 0.21 HE 0.99
1089-134686-0000 1 0.69 0.33 HOPED 1.00
1089-134686-0000 1 1.02 0.10 <eps>
1089-134686-0000 1 1.12 0.20 STEW

sw2005-A A 0.10 0.20 uh-huh
sw2005-A A 0.30 0.00 --
sw2005-A A .5 1e-1 SIL 0.5
quiet 1 0.00 1.00 !SIL
"""


def read(text: str) -> dict[str, Alignment]:
    return dict(read_ctm(enumerate(text.splitlines(), 1), "x.ctm"))


def test_read_kaldi() -> None:
    assert read(KALDI) == {
        "1089-134686-0000": Alignment(
            (Word("HE", 0.48, 0.69, 0.99), Word("HOPED", 0.69, 1.02, 1.0), Word("STEW", 1.12, 1.32))
        ),
        "sw2005-A": Alignment((Word("uh-huh", 0.1, 0.3), Word("--", 0.3, 0.3))),
        "quiet": Alignment(()),
    }
    assert read("") == {}


def test_read_raises_at_the_invalid_recording() -> None:
    blocks = read_ctm(enumerate(["a 1 0 1 one", "b"], 1), "x.ctm")
    assert next(blocks) == ("a", Alignment((Word("one", 0, 1),)))
    with pytest.raises(ManifestError, match=r"x\.ctm: line 2: not 'recording"):
        next(blocks)


REFUSED = [
    ("a 1 0 1", "line 1: not 'recording channel start duration word [confidence]'"),
    ("a 1 0 1 one 0.5 lex speaker more", "line 1: not 'recording channel start duration word [confidence]'"),
    ("a 1 soon 1 one", "line 1: start is not a number: 'soon'"),
    ("a 1 0 nan one", "line 1: duration is not a number: 'nan'"),
    ("a 1 0 1 one high", "line 1: confidence is not a number: 'high'"),
    ("a 1 0 1 one 1.5", "line 1: confidence is not a number from 0 to 1: '1.5'"),
    ("a 1 0 -1 one", "line 1: 'one' begins at 0 s and ends at -1 s, before that"),
    ("a 1 0 1e999 one", "line 1: 'one' begins at 0 s and ends at inf s"),
    (
        ";; x\n\na 1 1 1 one\na 1 0 1 two",
        "line 4: 'two' begins at 0 s, before the word before it ('one', at 1 s)",
    ),
    ("a A 0 1 one\na B 1 1 two", "line 2: 'a' has channels 'A' and 'B', and a clip has one"),
    ("a 1 0 1 one\nb 1 0 1 two\na 1 1 1 three", "line 3: 'a' occurred before"),
    ("a 1 * * <ALT_BEGIN>\na 1 0 1 one\na 1 * * <ALT_END>", "line 1: alternatives (<ALT_BEGIN>)"),
    ("a 1 0 1 <UNK>", "line 1: '<UNK>' stands for an unknown word"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_read_errors(text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(text)
    assert str(caught.value).startswith(f"x.ctm: {message}")


def test_format() -> None:
    alignment = Alignment(
        (Word("the", 0.10049, 0.3006, 0.98765), Word("--", 0.3006, 0.3006), Word("cat", 1, 12.5))
    )
    assert format_ctm("a/b", alignment) == (
        "a/b 1 0.100 0.201 the 0.988\na/b 1 0.301 0.000 --\na/b 1 1.000 11.500 cat\n"
    )


@pytest.mark.parametrize(
    ("clip_id", "word", "message"),
    [
        ("a b", "x", "the id 'a b' can't be written as CTM"),
        ("", "x", "the id '' can't be written as CTM"),
        (";;a", "x", "the id ';;a' can't be written as CTM"),
        ("a", "New York", "a: the word 'New York' can't be written as CTM, since it has spaces"),
        ("a", "SIL", "a: the word 'SIL' can't be written as CTM, since it would not be read as a word"),
        ("a", "<ALT>", "a: the word '<ALT>' can't be written as CTM, since it would not be read as a word"),
    ],
)
def test_format_errors(clip_id: str, word: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        format_ctm(clip_id, Alignment((Word(word, 0, 1),)))


tokens = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1)
words = tokens.map(lambda text: f"{text}'")
confidences = st.none() | st.integers(0, 1000).map(lambda number: number / 1000)


@st.composite
def alignments(draw: st.DrawFn) -> Alignment:
    edges = sorted(draw(st.lists(st.integers(0, 10**7), max_size=20)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return Alignment(
        tuple(Word(draw(words), start / 1000, end / 1000, draw(confidences)) for start, end in pairs)
    )


@given(st.dictionaries(tokens.map(lambda text: f"i{text}"), alignments(), max_size=4))
def test_read_inverts_format(alignments: dict[str, Alignment]) -> None:
    text = "".join(format_ctm(clip_id, alignment) for clip_id, alignment in alignments.items())
    again = dict(read_ctm(enumerate(text.split("\n"), 1), "x.ctm"))
    assert again == {clip_id: alignment for clip_id, alignment in alignments.items() if alignment.words}
    assert all(alignment.notes == () for alignment in again.values())


@given(st.lists(st.floats(0, 1e4), max_size=20).map(sorted))
def test_format_rounds_without_overlaps(edges: list[float]) -> None:
    pairs = zip(edges[::2], edges[1::2], strict=False)
    alignment = Alignment(tuple(Word("w", start, end) for start, end in pairs))
    for result in read("".join(format_ctm("a", alignment))).values():
        assert result.notes == ()
        for word, before in zip(result.words, alignment.words, strict=True):
            assert abs(word.start - before.start) < 0.000501
            assert abs(word.end - before.end) < 0.000501


def test_read_types_and_missing_confidence() -> None:
    lines = ["a 1 0.0 0.5 one NA lex NA", "a 1 0.5 0.2 um 0.5 non-lex NA", "a 1 0.7 0.3 two 0.9 lex robin"]
    ((name, alignment),) = read_ctm(enumerate(lines, 1), "x.ctm")
    assert name == "a"
    assert alignment == Alignment((Word("one", 0.0, 0.5), Word("two", 0.7, 1.0, 0.9)))
