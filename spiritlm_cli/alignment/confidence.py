"""Whether words fit their sound, by the confidence of each."""

from collections.abc import Sequence

from spiritlm_cli.manifests.clip import Word

# Words under it are more likely wrong than right.
DOUBTFUL = 0.5
# The share of doubtful words from which a clip is flagged. Measured: clean clips with their own text have 0.18 at most;
# with a third of the text missing, or another's, 19 in 20 have more than 0.25.
TOO_MANY = 0.25


def mean_confidence(words: Sequence[Word]) -> float:
    """Of the words that have one; 1 where none has."""
    known = [word.confidence for word in words if word.confidence is not None]
    return sum(known) / len(known) if known else 1.0


def low_confidence_notes(words: Sequence[Word]) -> tuple[str, ...]:
    """A note for people where so many words are doubtful that the text may not be what is said; else none."""
    known = [word for word in words if word.confidence is not None]
    doubtful = [word for word in known if (word.confidence or 0.0) < DOUBTFUL]
    if len(doubtful) <= TOO_MANY * len(known):
        return ()
    first = doubtful[0]
    return (
        f"{len(doubtful)} of {len(known)} words fit the sound badly, the first {first.word!r} at {first.start:.2f} s: "
        "is this what is said?",
    )
