"""Labels that stand in transcripts and alignments and are no words: for silence, noise and unknown words.

One rule for every source: TextGrid, CTM, JSON, rows of manifests, and transcripts.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from enum import Enum

from spiritlm_cli.console import log, one_line
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip


class Label(Enum):
    """What a label stands for."""

    SILENCE = "silence"
    NOISE = "noise"
    UNKNOWN = "unknown"


# Labels without brackets, and what stands in brackets, in lower case, with spaces in place of hyphens and underscores.
# The first are of MFA, Prosodylab, Kaldi's recipes, P2FA and Praat; [bracketed] is of MFA.
_BARE = {
    **dict.fromkeys(("sil", "sp", "pau", "!sil", "h#", "#"), Label.SILENCE),
    "spn": Label.UNKNOWN,
}
_SILENCES = "sil silence sp pau pause eps p p: s /s sl"
_UNKNOWNS = "unk unknown oov spn bracketed unintelligible inaudible indistinct unclear xxx foreign cutoff"
_NOISES = (
    "noise noises ns usb nib music lg laughter laugh laughs laughing vocnoise breath breathing br cough coughing "
    "coughs cg sneeze sniff sigh sighs smack lipsmack ls click applause cheering crosstalk background beep ring "
    "ringing static garbage gbg crying gasp gasps yawn whistle"
)
_SPACED_NOISES = (
    "spoken noise", "vocalized noise", "speech noise", "background noise", "background speech", "background music",
    "music playing", "lip smack", "clears throat", "throat clearing", "non speech",
)  # fmt: skip
_NAMES = {
    **dict.fromkeys(_NOISES.split(), Label.NOISE),
    **dict.fromkeys(_SPACED_NOISES, Label.NOISE),
    **dict.fromkeys((*_SILENCES.split(), "blank audio", "b trans", "e trans"), Label.SILENCE),
    **dict.fromkeys(_UNKNOWNS.split(), Label.UNKNOWN),
}
_BRACKETED = r"<[^<>]{1,40}>|\[[^\[\]]{1,40}\]|\{[^{}]{1,40}\}|\([^()]{1,40}\)"
_LABEL = re.compile(_BRACKETED)
# A part of a text that may be a label, with the punctuation around it and the spaces after it; or another token.
_TOKEN = re.compile(rf"[\"'“‘]?(?P<label>{_BRACKETED})[.,;:!?…\"'”’]*(?!\S)\s*|(?P<token>\S+)\s*")


def classify(label: str) -> Label | None:
    """Return what a label stands for, or None if it is a word. Case, hyphens and underscores do not matter.

    In brackets of any kind, the names of silence, noise and unknown words are labels; in `<>` and `{}`, every other
    single token is one too, of noise. Without brackets, only the names that aligners write are.
    """
    label = label.strip()
    if not label:
        return Label.SILENCE
    if not _LABEL.fullmatch(label):
        return _BARE.get(label.casefold())
    name = " ".join(re.sub(r"[-_\s]+", " ", label[1:-1]).split()).casefold()
    if name in _NAMES:
        return _NAMES[name]
    return Label.NOISE if label[0] in "<{" and " " not in name and name else None


def unknown_word_error(label: str, where: str) -> ManifestError:
    """Return the error for a label that stands for an unknown word. where: file and line, or the id of a clip."""
    return ManifestError(
        f"{where}: {label!r} stands for an unknown word (aligners write it for words that their dictionary lacks); "
        "give the word, or --keep-labels"
    )


def text_tokens(text: str) -> Iterator[tuple[str, str, Label | None]]:
    """Yield the tokens of a text, each without and with the spaces after it, and what it is if it is a label."""
    for match in _TOKEN.finditer(text):
        token = match["label"] or match["token"]
        label = classify(token)
        if match["label"] and label is None:
            # Not a label but words in brackets.
            for word in re.finditer(r"(\S+)\s*", match[0]):
                yield word[1], word[0], None
        else:
            yield match[0].rstrip(), match[0], label


def remove_labels(text: str, where: str, keep: bool = False) -> tuple[str, list[str]]:
    """Return a text without labels, and the labels of noise that were removed.

    keep: keep labels of noise and unknown words. Raises ManifestError for a label of an unknown word.
    """
    kept, removed = [], []
    changed = False
    for token, spaced, label in text_tokens(text):
        if label is None or (keep and label is not Label.SILENCE):
            kept.append(spaced)
            continue
        if label is Label.UNKNOWN:
            raise unknown_word_error(token, where)
        changed = True
        if label is Label.NOISE:
            removed.append(token)
    if not changed:
        return text, []
    return text[: len(text) - len(text.lstrip())] + "".join(kept).rstrip(), removed


def without_labels(clip: Clip, keep: bool = False) -> tuple[Clip, list[str]]:
    """Return a clip without labels in its text and words, and the labels of noise that were removed.

    keep: keep labels of noise and unknown words. Raises ManifestError for a label of an unknown word.
    """
    text = clip.text
    removed: list[str] = []
    if text is not None:
        text, removed = remove_labels(text, clip.id, keep)
    alignment = clip.alignment
    if alignment:
        labels = [classify(word.word) for word in alignment.words]
        if Label.UNKNOWN in labels and not keep:
            raise unknown_word_error(alignment.words[labels.index(Label.UNKNOWN)].word, clip.id)
        kept = (None, Label.NOISE, Label.UNKNOWN) if keep else (None,)
        words = list(zip(alignment.words, labels, strict=True))
        alignment = Alignment(tuple(word for word, label in words if label in kept), alignment.notes)
        if not keep and not removed:
            removed = [word.word for word, label in words if label is Label.NOISE]
    return dataclasses.replace(clip, text=text, alignment=alignment), removed


def drop_labels(clips: Iterable[Clip | BadClip], keep: bool = False) -> Iterator[Clip | BadClip]:
    """Yield the clips without labels, and warn of labels of noise that are removed; see `without_labels`.

    A clip with a label of an unknown word becomes a BadClip.
    """
    for clip in clips:
        if isinstance(clip, BadClip):
            yield clip
            continue
        try:
            cleaned, removed = without_labels(clip, keep)
        except ManifestError as error:
            yield BadClip(clip.id, clip.source, error)
            continue
        if removed:
            names = ", ".join(dict.fromkeys(removed))
            log.warning("%s", one_line(f"{clip.id}: {len(removed)} labels of noise were left out: {names}"))
        yield cleaned
