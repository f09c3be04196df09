"""The JSON formats of Whisper (with word timestamps), whisper-timestamped and WhisperX."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Transcript
from spiritlm_cli.manifests.labels import remove_labels
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT, AlignmentBuilder
from spiritlm_cli.text_files import read_whole

_Fields = Mapping[str, object]
# The names of the confidence in Whisper, WhisperX and whisper-timestamped.
_CONFIDENCES = ("probability", "score", "confidence")


def read_whisper(path: Path | str, keep_labels: bool = False) -> Transcript:
    """Read the text and words of a file.

    The text is that of the file, or else of its segments, without spaces around it. Words without times, such as
    numbers in WhisperX, share the gap between their neighbors. keep_labels: see `AlignmentBuilder`; the text is treated
    likewise.

    Raises ManifestError, with file, segment and word, for JSON of another kind, for segments without words, and for
    words that `AlignmentBuilder` refuses.
    """
    name = str(path)
    content = _read_object(path)
    segments = content.get("segments")
    if not isinstance(segments, list):
        if "transcription" in content:
            raise ManifestError(
                f"{name}: written by whisper.cpp, which gives no word times; use Whisper or WhisperX"
            )
        raise ManifestError(f"{name}: not the JSON of Whisper or WhisperX: no segments")
    words = AlignmentBuilder(keep_labels)
    texts = []
    for number, segment in enumerate(segments, 1):
        where = f"{name}: segment {number}"
        if not isinstance(segment, dict):
            raise ManifestError(f"{where} is not an object")
        _add_segment(words, segment, where)
        texts.append(_parse_text(segment, "text", where))
    text = _parse_text(content, "text", name)
    if text is None and any(part is not None for part in texts):
        text = " ".join(part.strip() for part in texts if part and part.strip())
    if text is not None:
        text, _ = remove_labels(text.strip(), name, keep_labels)
    return Transcript(text, words.build())


def format_whisper(text: str | None, alignment: Alignment) -> str:
    """A file of one segment in the format of Whisper. text: None for the words joined by spaces.

    `read_whisper` reads the same text and words, without spaces around the text.
    """
    words = _format_words(alignment, before=" ", confidence="probability")
    text = _text_or_words(text, alignment)
    segments = [{"id": 0, **_segment_fields(f" {text}", alignment), "words": words}] if words else []
    return json.dumps({"text": text, "segments": segments}, ensure_ascii=False) + "\n"


def format_whisperx(text: str | None, alignment: Alignment) -> str:
    """A file of one segment in the format of WhisperX; otherwise as `format_whisper`.

    WhisperX has a text for each segment only, so a text without words is not written.
    """
    words = _format_words(alignment, before="", confidence="score")
    segments = (
        [{**_segment_fields(_text_or_words(text, alignment), alignment), "words": words}] if words else []
    )
    return json.dumps({"segments": segments, "word_segments": words}, ensure_ascii=False) + "\n"


def _read_object(path: Path | str) -> _Fields:
    try:
        content = json.loads(read_whole(path))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: not the JSON of Whisper or WhisperX: not an object")
    return content


def _add_segment(words: AlignmentBuilder, segment: _Fields, where: str) -> None:
    last = None
    for number, item in enumerate(_word_items(segment, where), 1):
        here = f"{where}, word {number}"
        if not isinstance(item, dict):
            raise ManifestError(f"{here} is not an object")
        word = _parse_text(item, "word" if "word" in item else "text", here)
        if word is None:
            raise ManifestError(f'{here} lacks "word"')
        start, end = _parse_number(item, "start", here), _parse_number(item, "end", here)
        words.add(word, start, end, here, _parse_confidence(item, here))
        last = last if end is None else end
    end = _parse_number(segment, "end", where)
    # WhisperX ends a segment at its last word with times. Words after that share the gap after the segment.
    if end is not None and (last is None or end > last):
        words.place_untimed(end)


def _word_items(segment: _Fields, where: str) -> list[object]:
    """The word objects of a segment."""
    items = segment.get("words")
    text = _parse_text(segment, "text", where)
    if items is None and (text is None or text.strip()):
        raise ManifestError(f"{where} has no words; run Whisper with word timestamps, or WhisperX")
    if items is not None and not isinstance(items, list):
        raise ManifestError(f"{where}: words is not a list")
    # WhisperX writes an empty list if it found no times in the segment.
    return items or [{"word": word} for word in (text or "").split()]


def _parse_text(fields: _Fields, name: str, where: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{where}: {name} is not text")
    if value and NOT_IN_TEXT.search(value):
        raise ManifestError(f"{where}: {name} holds NUL or half a surrogate pair")
    return value


def _parse_number(fields: _Fields, name: str, where: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf:
        try:
            return float(value)
        except OverflowError:
            pass
    raise ManifestError(f"{where}: {name} is not a number: {str(value)[:40]!a}")


def _parse_confidence(fields: _Fields, where: str) -> float | None:
    for name in _CONFIDENCES:
        value = _parse_number(fields, name, where)
        if value is not None:
            if not 0 <= value <= 1:
                raise ManifestError(f"{where}: {name} is not a number from 0 to 1: {value:g}")
            return value
    return None


def _text_or_words(text: str | None, alignment: Alignment) -> str:
    return " ".join(word.word for word in alignment.words) if text is None else text


def _segment_fields(text: str, alignment: Alignment) -> dict[str, object]:
    return {"start": alignment.words[0].start, "end": alignment.words[-1].end, "text": text}


def _format_words(alignment: Alignment, before: str, confidence: str) -> list[dict[str, object]]:
    words = []
    for word in alignment.words:
        fields: dict[str, object] = {"word": before + word.word, "start": word.start, "end": word.end}
        if word.confidence is not None:
            fields[confidence] = word.confidence
        words.append(fields)
    return words
