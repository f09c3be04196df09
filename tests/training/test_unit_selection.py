"""Unit selection from a corpus in which each frame has a unit of its own."""

import itertools
import random

import numpy as np
import pytest

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.errors import AlignmentError, ManifestError
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training.random_words import RandomWords
from spiritlm_cli.training.unit_selection import LONGEST, PhoneClip, PhoneIndex, UnitSelector

THE_CAT_SAT = ("SIL", "DH", "AH", "K", "AE", "T", "S", "AE", "T", "SIL")
A_MAT = ("AH", "M", "AE", "T", "SIL")


def clip(phones: tuple[str, ...], first: int, speaker: str = "x") -> PhoneClip:
    """Each phone lasts 80 ms; the unit of a frame is `first` plus its index."""
    frames = 2 * len(phones)
    units = Units(np.arange(first, first + frames), np.full(frames // 2, 3), np.full(1, 4))
    return PhoneClip(
        speaker, units, tuple(Phone(name, 0.08 * i, 0.08 * (i + 1)) for i, name in enumerate(phones))
    )


CLIPS = (clip(THE_CAT_SAT, 100), clip(A_MAT, 200), clip(("M", "AE", "N"), 300, "y"))


@pytest.fixture(scope="module")
def selector() -> UnitSelector:
    return UnitSelector(CLIPS)


def test_phone_index_matches_every_stretch_within_a_clip() -> None:
    codes = {name: code for code, name in enumerate(sorted({*THE_CAT_SAT, *A_MAT}), start=1)}
    index = PhoneIndex(CLIPS[:2], codes)
    for phones in (THE_CAT_SAT, A_MAT):
        for length in range(1, LONGEST + 1):
            for at in range(len(phones) - length + 1):
                stretch = [codes[phone] for phone in phones[at : at + length]]
                matches = index.matches(stretch)
                assert len(matches)
                for first in matches:
                    assert index.phones[first : first + length].tolist() == stretch
    assert not len(index.matches([codes["T"], codes["SIL"], codes["AH"]]))


def test_select_copies_a_text_of_the_corpus_in_one_stretch(selector: UnitSelector) -> None:
    for seed in range(20):
        drawn = selector.select("cat sat", "x", random.Random(seed))
        # a silence may precede the words
        assert drawn.frames[0].tolist()[-12:] == list(range(106, 118))
        assert drawn.text == "cat sat"
        assert np.diff(drawn.bounds)[-1] == 6
        assert drawn.frames[1:, 0].tolist() == [3, 4]


def test_select_assigns_frames_to_words(selector: UnitSelector) -> None:
    drawn = selector.select("the mat.", "x", random.Random(1))
    the, mat = (drawn.cut(i, i + 1).frames[0].tolist() for i in (0, 1))
    assert the[-4:] == [102, 103, 104, 105]
    assert mat in ([202, 203, 204, 205, 206, 207, 208, 209], [202, 203, 204, 205, 206, 207, 118, 119])


def test_pairs_are_reproducible_from_the_seed(selector: UnitSelector) -> None:
    def drawn(seed: int) -> list[str]:
        pairs = selector.pairs(["the cat sat. the mat", "§ cat"], 3, "x", random.Random(seed))
        return [f"{pair.text} {pair.frames.tolist()}" for pair in itertools.islice(pairs, 50)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_sentences_are_whole_and_of_at_most_so_many_words(selector: UnitSelector) -> None:
    texts = ["the cat sat. the mat. sat the cat sat on", "the the the cat"]
    pairs = itertools.islice(selector.sentences(texts, 3, "x", random.Random(0)), 200)
    drawn = {pair.text for pair in pairs}
    # of a text without such a sentence any stretch
    assert {"the cat sat.", "the mat."} < drawn
    assert drawn - {"the cat sat.", "the mat."} <= {
        "the", "cat", "the the", "the cat", "the the the", "the the cat"
    }  # fmt: skip


def test_pairs_have_random_words() -> None:
    selector = UnitSelector(CLIPS, random_words=RandomWords(["mat sat"], 1.0))
    drawn = itertools.islice(selector.sentences(["The cat, the cat."], 4, "x", random.Random(0)), 200)
    texts = {pair.text for pair in drawn}
    assert {"The cat, the cat.", "Mat sat, the mat.", "Sat cat, mat sat."} < texts
    # each word is from the text or a random one
    assert texts <= {
        f"{a} {b}, {c} {d}."
        for a, b, c, d in itertools.product(
            ("The", "Mat", "Sat"), ("cat", "mat", "sat"), ("the", "mat", "sat"), ("cat", "mat", "sat")
        )
    }


def test_select_raises_for_a_word_without_pronunciation(selector: UnitSelector) -> None:
    with pytest.raises(AlignmentError, match="no English pronunciation"):
        selector.select("кот", "x", random.Random(0))
    with pytest.raises(ValueError, match="no clip has phones"):
        UnitSelector([])


def test_pairs_raises_for_texts_that_can_not_be_pronounced(selector: UnitSelector) -> None:
    with pytest.raises(ManifestError, match="no words that can be pronounced"):
        next(selector.pairs(["你好 世界", " "], 4, "x", random.Random(0)))
