from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word
from spiritlm_cli.manifests.labels import (
    Label,
    classify,
    drop_labels,
    remove_labels,
    text_tokens,
    without_labels,
)


@pytest.mark.parametrize(
    "label",
    ["", " ", "sil", "SIL", "sp", "<eps>", "[SIL]", "!SIL", "<p:>", "#", "<s>", "</s>", "{SL}", "(silence)",
     "[BLANK_AUDIO]", "pau", "h#"],
)  # fmt: skip
def test_silences(label: str) -> None:
    assert classify(label) is Label.SILENCE


@pytest.mark.parametrize(
    "label",
    ["[noise]", "[NOISE]", "<NOISE>", "{NS}", "{LG}", "[laughter]", "(laughs)", "<SPOKEN_NOISE>", "[VOCALIZED-NOISE]",
     "[Music]", "<b>", "{cough}", "<anything>", "[background noise]", "<COMMA>"],
)  # fmt: skip
def test_noises(label: str) -> None:
    assert classify(label) is Label.NOISE


@pytest.mark.parametrize(
    "label", ["spn", "<unk>", "<UNK>", "[unk]", "[bracketed]", "{OOV}", "(inaudible)", "<SPN>"]
)
def test_unknown_words(label: str) -> None:
    assert classify(label) is Label.UNKNOWN


@pytest.mark.parametrize(
    "label",
    ["word", "spine", "--", "<>", "[]", "[sic]", "(he)", "noise", "laughter", "unknown", "#1", "a#b", "<a", "[a][b]",
     "<two words>", "music"],
)  # fmt: skip
def test_words(label: str) -> None:
    assert classify(label) is None


@pytest.mark.parametrize(
    ("text", "expected", "removed"),
    [
        ("The cat  sat.", "The cat  sat.", []),
        ("  The cat ", "  The cat ", []),
        ("The [noise] cat  sat. [laughter]", "The cat  sat.", ["[noise]", "[laughter]"]),
        ("<eps> the cat sil", "the cat", []),
        ("the [background noise], cat", "the cat", ["[background noise]"]),
        ("a (you know) [sic] <two words> b", "a (you know) [sic] <two words> b", []),
        ("[noise]", "", ["[noise]"]),
        ("# 5", "5", []),
        ("", "", []),
    ],
)
def test_remove_labels(text: str, expected: str, removed: list[str]) -> None:
    result, labels = remove_labels(text, "a")
    assert (result, [label.strip(",") for label in labels]) == (expected, removed)


def test_remove_labels_keeps_them_if_asked_to() -> None:
    assert remove_labels("a [noise] sil <unk> b", "a", keep=True) == ("a [noise] <unk> b", [])


def test_remove_labels_refuses_unknown_words() -> None:
    with pytest.raises(ManifestError, match=r"^x: '<unk>' stands for an unknown word .*--keep-labels"):
        remove_labels("the <unk> sat", "x")


@given(st.text(st.sampled_from("ab <>[]() ,\n"), max_size=30))
def test_text_tokens_are_the_text(text: str) -> None:
    assert "".join(spaced for _, spaced, _ in text_tokens(text)) == text.lstrip()


CLIP = Clip(
    "a",
    Path("a.wav"),
    text="the [noise] cat",
    alignment=Alignment((Word("the", 0, 1), Word("[noise]", 1, 2), Word("cat", 2, 3)), ("note",)),
)


def test_without_labels() -> None:
    clip, removed = without_labels(CLIP)
    assert clip == Clip(
        "a", Path("a.wav"), text="the cat", alignment=Alignment((Word("the", 0, 1), Word("cat", 2, 3)))
    )
    assert clip.alignment is not None
    assert (clip.alignment.notes, removed) == (("note",), ["[noise]"])
    assert without_labels(CLIP, keep=True) == (CLIP, [])
    with pytest.raises(ManifestError, match=r"^a: '<unk>' stands for an unknown word"):
        without_labels(Clip("a", "a.wav", alignment=Alignment((Word("<unk>", 0, 1),))))


def test_drop_labels(caplog: pytest.LogCaptureFixture) -> None:
    bad = BadClip("bad", "m", ManifestError("x"))
    first, second, third = drop_labels([CLIP, bad, Clip("b", "m", text="an spn")])
    assert isinstance(first, Clip)
    assert (first.text, second) == ("the cat", bad)
    assert isinstance(third, BadClip)
    assert (third.id, str(third.error)[:24]) == ("b", "b: 'spn' stands for an u")
    assert caplog.messages == ["a: 1 labels of noise were left out: [noise]"]
