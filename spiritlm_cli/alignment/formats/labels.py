"""Labels that aligners write in a word's place: for silence, and for what they did not know."""

from spiritlm_cli.errors import ManifestError

# of MFA and Prosodylab (sil, sp), Kaldi's recipes (<eps>, !SIL, [SIL]) and MAUS (<p:>); whatever their case
_SILENCES = frozenset(("", "sil", "sp", "<eps>", "<sil>", "[sil]", "!sil", "<p:>"))
# of MFA, Kaldi's recipes have <unk> too
_UNKNOWN = frozenset(("spn", "<unk>", "[bracketed]"))


def is_silence(label: str, where: str) -> bool:
    """Whether a label says that nothing is said. Raises ManifestError for one that says "a word I don't know"."""
    label = label.strip()
    if label.casefold() in _UNKNOWN:
        raise ManifestError(
            f"{where}: {label!r} stands for a word that the aligner didn't know, so the file doesn't say which "
            "it is; add the word to its dictionary and align again"
        )
    return label.casefold() in _SILENCES


def is_word(label: str) -> bool:
    """Whether it would be read as a word, and not as one of these labels."""
    return label.strip().casefold() not in _SILENCES | _UNKNOWN
