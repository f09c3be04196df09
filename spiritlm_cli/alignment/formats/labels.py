"""Labels that aligners write instead of words: for silence, and for words that they don't know."""

from spiritlm_cli.errors import ManifestError

# Compared without case. MFA and Prosodylab write sil and sp; Kaldi's recipes <eps>, !SIL and [SIL]; MAUS <p:>.
_SILENCES = frozenset(("", "sil", "sp", "<eps>", "<sil>", "[sil]", "!sil", "<p:>"))
# MFA writes all of them; Kaldi's recipes <unk> too.
_UNKNOWN = frozenset(("spn", "<unk>", "[bracketed]"))


def is_silence(label: str, where: str) -> bool:
    """Whether a label means silence. Raises ManifestError for a label that means an unknown word."""
    label = label.strip()
    if label.casefold() in _UNKNOWN:
        raise ManifestError(
            f"{where}: {label!r} stands for a word that the aligner didn't know; add the word to its dictionary "
            "and align again"
        )
    return label.casefold() in _SILENCES


def is_word(label: str) -> bool:
    """Whether a label is read as a word, and not as silence or an unknown word."""
    return label.strip().casefold() not in _SILENCES | _UNKNOWN
