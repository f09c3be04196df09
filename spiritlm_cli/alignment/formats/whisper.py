"""The JSON of Whisper (with word timestamps), whisper-timestamped and WhisperX."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import read_bytes
from spiritlm_cli.manifests.clip import Alignment, Transcript
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT, AlignmentBuilder

_Fields = Mapping[str, object]
# Whisper's, WhisperX's, whisper-timestamped's
_CONFIDENCES = ("probability", "score", "confidence")


def read_whisper(path: Path | str) -> Transcript:
    """Text and words of a file. The text is Whisper's own, else that of the segments; spaces around it are left out.

    Words that WhisperX couldn't place, such as numbers, get the gap that they stand in.
    Raises ManifestError, with file, segment and word, for JSON that is something else, for segments without
    words, and for what `AlignmentBuilder` refuses.
    """
    name = str(path)
    content = _content(path)
    segments = content.get("segments")
    if not isinstance(segments, list):
        if "transcription" in content:
            raise ManifestError(
                f"{name}: of whisper.cpp, which has no times of words; use Whisper or WhisperX"
            )
        raise ManifestError(f"{name}: not the JSON of Whisper or WhisperX, as it has no segments")
    words = AlignmentBuilder()
    texts = []
    for number, segment in enumerate(segments, 1):
        where = f"{name}: segment {number}"
        if not isinstance(segment, dict):
            raise ManifestError(f"{where} is not an object")
        _add_segment(words, segment, where)
        texts.append(_text(segment, "text", where))
    text = _text(content, "text", name)
    if text is None and any(said is not None for said in texts):
        text = " ".join(said.strip() for said in texts if said and said.strip())
    return Transcript(None if text is None else text.strip(), words.build())


def format_whisper(text: str | None, alignment: Alignment) -> str:
    """One segment, as Whisper writes it. text: None for the words with spaces between.

    `read_whisper` gives both back, but for spaces around the text.
    """
    words = _words(alignment, before=" ", confidence="probability")
    text = _said(text, alignment)
    segments = [{"id": 0, **_segment(f" {text}", alignment), "words": words}] if words else []
    return json.dumps({"text": text, "segments": segments}, ensure_ascii=False) + "\n"


def format_whisperx(text: str | None, alignment: Alignment) -> str:
    """One segment, as WhisperX writes it; otherwise as `format_whisper`.

    A text is a segment's there, so it is lost where there are no words.
    """
    words = _words(alignment, before="", confidence="score")
    segments = [{**_segment(_said(text, alignment), alignment), "words": words}] if words else []
    return json.dumps({"segments": segments, "word_segments": words}, ensure_ascii=False) + "\n"


def _content(path: Path | str) -> _Fields:
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: not the JSON of Whisper or WhisperX, as it is not an object")
    return content


def _add_segment(words: AlignmentBuilder, segment: _Fields, where: str) -> None:
    last = None
    for number, item in enumerate(_items(segment, where), 1):
        here = f"{where}, word {number}"
        if not isinstance(item, dict):
            raise ManifestError(f"{here} is not an object")
        word = _text(item, "word" if "word" in item else "text", here)
        if word is None:
            raise ManifestError(f'{here} lacks "word"')
        start, end = _number(item, "start", here), _number(item, "end", here)
        words.add(word, start, end, here, _confidence(item, here))
        last = last if end is None else end
    end = _number(segment, "end", where)
    # WhisperX ends a segment with the last word it could place; those after it then have the gap behind it
    if end is not None and (last is None or end > last):
        words.place_untimed(end)


def _items(segment: _Fields, where: str) -> list[object]:
    """The words of a segment, as they are in the file."""
    items = segment.get("words")
    text = _text(segment, "text", where)
    if items is None and (text is None or text.strip()):
        raise ManifestError(f"{where} has no words; run Whisper with word timestamps, or WhisperX")
    if items is not None and not isinstance(items, list):
        raise ManifestError(f"{where}: words is not a list")
    # WhisperX leaves the list empty where it could place nothing of the text
    return items or [{"word": word} for word in (text or "").split()]


def _text(fields: _Fields, name: str, where: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{where}: {name} is not text")
    if value and NOT_IN_TEXT.search(value):
        raise ManifestError(f"{where}: {name} holds NUL or half a surrogate pair")
    return value


def _number(fields: _Fields, name: str, where: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf:
        try:
            return float(value)
        except OverflowError:
            pass
    raise ManifestError(f"{where}: {name} is not a number: {str(value)[:40]!a}")


def _confidence(fields: _Fields, where: str) -> float | None:
    for name in _CONFIDENCES:
        value = _number(fields, name, where)
        if value is not None:
            if not 0 <= value <= 1:
                raise ManifestError(f"{where}: {name} is not a number from 0 to 1: {value:g}")
            return value
    return None


def _said(text: str | None, alignment: Alignment) -> str:
    return " ".join(word.word for word in alignment.words) if text is None else text


def _segment(text: str, alignment: Alignment) -> dict[str, object]:
    return {"start": alignment.words[0].start, "end": alignment.words[-1].end, "text": text}


def _words(alignment: Alignment, before: str, confidence: str) -> list[dict[str, object]]:
    words = []
    for word in alignment.words:
        fields: dict[str, object] = {"word": before + word.word, "start": word.start, "end": word.end}
        if word.confidence is not None:
            fields[confidence] = word.confidence
        words.append(fields)
    return words
