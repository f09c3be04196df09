"""Checks of whether a text matches its audio, from the confidences of its words."""

from collections.abc import Sequence

from spiritlm_cli.manifests.clip import Word

# A word with a lower confidence is more likely wrong than right.
LOW_CONFIDENCE = 0.5
# A clip is flagged above this share of words with low confidence. Measured: clips with the right text have 0.18 at
# most; 19 in 20 clips of whose text a third is missing or wrong have more than 0.25.
MAX_LOW_CONFIDENCE_SHARE = 0.25


def mean_confidence(words: Sequence[Word]) -> float:
    """Mean confidence of the words that have one; 1 if none has."""
    confidences = [word.confidence for word in words if word.confidence is not None]
    return sum(confidences) / len(confidences) if confidences else 1.0


def low_confidence_notes(words: Sequence[Word]) -> tuple[str, ...]:
    """One warning if too many words have a low confidence, since the text may not match the audio; else none."""
    scored = [(word, word.confidence) for word in words if word.confidence is not None]
    low = [word for word, confidence in scored if confidence < LOW_CONFIDENCE]
    if len(low) <= MAX_LOW_CONFIDENCE_SHARE * len(scored):
        return ()
    first = low[0]
    return (
        f"{len(low)} of {len(scored)} words have low confidence, the first {first.word!r} at {first.start:.2f} s: "
        "the text may not match the audio",
    )
