"""Cuts of lhotse (cuts.jsonl): a part of a recording with its supervisions, as fields of a row."""

from collections.abc import Mapping

from spiritlm_cli.errors import ManifestError

Fields = Mapping[str, object]


def is_cut(fields: Fields) -> bool:
    """Return whether a row of JSONL is a cut of lhotse."""
    return "supervisions" in fields or str(fields.get("type")).endswith("Cut")


def cut_fields(cut: Fields, where: str) -> Fields:
    """Return the fields of a cut's clip: id, audio, start, duration, text, speaker and words.

    The texts of several supervisions are joined by spaces, and their words too; the speaker is that of all of them.
    Times of supervisions and words are relative to the cut, as lhotse has them.
    Raises ManifestError for what is not one channel of one file: mixed and padded cuts, commands and URLs,
    recordings with several channels, and recordings with transforms such as a changed speed.
    """
    kind = cut.get("type", "MonoCut")
    if kind != "MonoCut" or "tracks" in cut:
        raise ManifestError(
            f"{where}: a cut of type {kind!a}, not MonoCut; save the audio first, as lhotse does"
        )
    supervisions = [] if cut.get("supervisions") is None else cut["supervisions"]
    if not isinstance(supervisions, list) or not all(isinstance(one, dict) for one in supervisions):
        raise ManifestError(f"{where}: supervisions is not a list of objects")
    texts = [one["text"] for one in supervisions if one.get("text") is not None]
    if not all(isinstance(text, str) for text in texts):
        raise ManifestError(f"{where}: the text of a supervision is not text")
    speakers = {str(one["speaker"]) for one in supervisions if one.get("speaker") is not None}
    return {
        "id": cut.get("id"),
        "audio": _source(cut.get("recording"), where),
        "start": cut.get("start"),
        "duration": cut.get("duration"),
        "text": " ".join(texts) if texts else None,
        "speaker": speakers.pop() if len(speakers) == 1 else None,
        "words": _words(supervisions, where),
    }


def _source(recording: object, where: str) -> object:
    """Return the path of a recording."""
    sources = recording.get("sources") if isinstance(recording, dict) else None
    if not isinstance(recording, dict) or not isinstance(sources, list):
        raise ManifestError(f"{where}: a cut without a recording")
    if recording.get("transforms"):
        raise ManifestError(f"{where}: a recording with transforms; save the audio first, as lhotse does")
    if len(sources) != 1 or not isinstance(sources[0], dict) or sources[0].get("type") != "file":
        raise ManifestError(f"{where}: the recording is not one file")
    channels = sources[0].get("channels")
    if isinstance(channels, list) and len(channels) > 1:
        raise ManifestError(f"{where}: a cut of one of {len(channels)} channels; save each channel as a file")
    return sources[0].get("source")


def _words(supervisions: list[dict[str, object]], where: str) -> list[dict[str, object]] | None:
    """Return the words of all supervisions; None if any with a text has none."""
    words: list[dict[str, object]] = []
    for supervision in supervisions:
        alignment = supervision.get("alignment")
        items = alignment.get("word") if isinstance(alignment, dict) else None
        if items is None:
            if supervision.get("text"):
                return None
            continue
        if not isinstance(items, list):
            raise ManifestError(f"{where}: the alignment of a supervision is not a list of words")
        for item in items:
            if not isinstance(item, list) or not 3 <= len(item) <= 4:
                raise ManifestError(f"{where}: a word of the alignment is not [word, start, duration, score]")
            words.append(dict(zip(("word", "start", "duration"), item, strict=False)))
    return words or None
