import pytest

from spiritlm_cli.alignment.confidence import low_confidence_notes, mean_confidence
from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Waveform, Word

TEXT = (
    "and a strip of cow skin for a belt to hold it in. "
    "I could show you where to get something, he said at last. "
    "Well, show me, cried Robin."
)


def words_with(*confidences: float | None) -> list[Word]:
    return [Word(f"w{index}", index, index + 1, known) for index, known in enumerate(confidences)]


def test_mean_confidence() -> None:
    assert mean_confidence(words_with(0.5, None, 1.0)) == 0.75
    assert mean_confidence(words_with(None)) == 1.0
    assert mean_confidence([]) == 1.0


def test_low_confidence_notes() -> None:
    assert low_confidence_notes(words_with(*[0.9] * 9, 0.1)) == ()
    assert low_confidence_notes([]) == ()
    assert low_confidence_notes(words_with(None, 0.1, 0.2, 0.3, 0.9, 0.9)) == (
        "3 of 5 words have low confidence, the first 'w1' at 1.00 s: the text may not match the audio",
    )


def test_confidence_of_wrong_words_is_low(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    right = {word.word: word.confidence or 0 for word in aligner.align(recording, TEXT).words}
    for old, new in (
        ("skin", "dollar"),
        ("belt", "window"),
        ("something,", "yesterday"),
        ("cried", "opened"),
    ):
        wrong = {
            word.word: word.confidence or 0 for word in aligner.align(recording, TEXT.replace(old, new)).words
        }
        assert right[old] > 0.8
        assert wrong[new] < 0.3


def test_notes_of_a_partly_wrong_text(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    assert aligner.align(recording, TEXT).notes == ()
    other = TEXT.replace("I could show you where to get something", "it was the season of light and darkness")
    (note,) = aligner.align(recording, other).notes
    assert "words have low confidence" in note


def test_align_refuses_another_text(recording: Waveform, aligner: PocketsphinxAligner) -> None:
    with pytest.raises(AlignmentError, match="does not match"):
        aligner.align(recording, "Once upon a time there was a little boy called Tom who lived by the sea.")
