"""Reader of the files of multiple-choice questions: JSONL of a prompt, choices and the index of the right one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.lhotse import Fields
from spiritlm_cli.manifests.row import NOT_IN_ID, clip_from_fields, parse_json_fields
from spiritlm_cli.manifests.times import TIME_FIELDS
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import numbered_lines
from spiritlm_cli.tokens.reader import parse_content
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

MAX_CHOICES = 1000

# Text or units, or a clip whose units are meant.
Content = tuple[Sequence | Clip, ...]


@dataclass(frozen=True)
class Question:
    """A prompt and its choices, of which one is right.

    name: its id in the file, the same for its forms in text and in speech. direction: modalities of the prompt and of
    the choices, such as "T→S"; "mixed→T" for a prompt of both. source: file and line, for errors. answer: index of the
    right choice. bytes: UTF-8 bytes of each choice without the space around it; None for speech.
    """

    name: str
    direction: str
    source: str
    prompt: Content
    choices: tuple[Content, ...]
    answer: int
    group: str | None
    bytes: tuple[int, ...] | None

    @property
    def id(self) -> str:
        """Such as `q1/T→S`."""
        return f"{self.name}/{self.direction}"


@dataclass(frozen=True)
class BadQuestion:
    """A line that can't be used, and the reason."""

    id: str
    source: str
    error: SpiritLMError


def read_choices(path: Path | str) -> Iterator[Question | BadQuestion]:
    """Read the questions of JSONL, and the lines that can't be used, in order.

    Fields: choices (two or more), answer (the index of the right one, from 0), and optionally prompt, id (default: the
    file's name and the line) and group; others are ignored. A prompt or a choice is a text, verbatim, or an object:
    {"text": …}; {"audio": path} with start and end in seconds, relative to the file's folder; {"tokens": token line};
    or a list of these. All choices are text, or all are speech.
    Raises ManifestError if the file can't be read.
    """
    path = Path(path)
    for line_number, line in numbered_lines(path):
        source = f"{path}: line {line_number}"
        default = f"{path.name}:{line_number}"
        try:
            if isinstance(line, ManifestError):
                raise line
            if line.strip():
                yield _question(parse_json_fields(line, source), path.parent, source, default)
        except (ManifestError, TokenError) as error:
            yield BadQuestion(default, source, error)


def _question(fields: Fields, folder: Path, source: str, default: str) -> Question:
    choices = _choices(fields.get("choices"), folder, source)
    prompt = _content(fields.get("prompt", ""), folder, f"{source}: prompt")
    answer = fields.get("answer")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(choices):
        raise ManifestError(
            f"{source}: answer is {str(answer)[:20]!a}, not the index of a choice, 0 to {len(choices) - 1}"
        )
    kinds = {_modality(choice) for choice in choices}
    if len(kinds) > 1 or "mixed" in kinds:
        raise ManifestError(f"{source}: the choices are not all text, or all speech")
    (kind,) = kinds
    return Question(
        name=_name(fields, "id", source) or default,
        direction=f"{_modality(prompt) if prompt else kind}→{kind}",
        source=source,
        prompt=prompt,
        choices=choices,
        answer=answer,
        group=_name(fields, "group", source),
        bytes=tuple(map(_text_bytes, choices)) if kind == "T" else None,
    )


def _choices(value: object, folder: Path, source: str) -> tuple[Content, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_CHOICES:
        raise ManifestError(f"{source}: choices is not a list of 2 to {MAX_CHOICES} choices")
    choices = []
    for index, choice in enumerate(value):
        where = f"{source}: choice {index}"
        content = _content(choice, folder, where)
        if not content:
            raise ManifestError(f"{where} is empty")
        choices.append(content)
    return tuple(choices)


def _content(value: object, folder: Path, where: str) -> Content:
    """Read a prompt or a choice; its empty parts are left out."""
    parts = (_part(part, folder, where) for part in (value if isinstance(value, list) else [value]))
    return tuple(part for part in parts if isinstance(part, Clip) or part.spans)


def _part(value: object, folder: Path, where: str) -> Sequence | Clip:
    fields: Fields = value if isinstance(value, dict) else {"text": value}
    kinds = [name for name in ("text", "audio", "tokens") if name in fields]
    others = set(fields) - (TIME_FIELDS if kinds == ["audio"] else set()) - set(kinds)
    content = fields[kinds[0]] if len(kinds) == 1 and not others else None
    if not isinstance(content, str):
        raise ManifestError(
            f'{where}: not a text, {{"text": …}}, {{"audio": path}} or {{"tokens": token line}}, or a list of these'
        )
    if NOT_IN_TEXT.search(content):
        raise ManifestError(f"{where}: holds NUL or half a surrogate pair")
    if kinds == ["audio"]:
        return clip_from_fields(folder, fields, where)
    if kinds == ["text"]:
        return Sequence.of([TextSpan(content)])
    try:
        return parse_content(content).sequence
    except TokenError as error:
        raise TokenError(f"{where}: {error}") from None


def _modality(content: Content) -> str:
    """T for text, S for speech, mixed for both."""
    kinds: set[str] = set()
    for part in content:
        if isinstance(part, Clip):
            kinds.add("S")
        else:
            kinds.update("T" if isinstance(span, TextSpan) else "S" for span in part.spans)
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _text_bytes(content: Content) -> int:
    text = "".join(part.text for part in content if isinstance(part, Sequence))
    return max(1, len(text.strip().encode()))


def _name(fields: Fields, name: str, source: str) -> str | None:
    """Return a field as a name, or None if it is missing. An integer is converted."""
    value = fields.get(name)
    if value is None:
        return None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text or NOT_IN_ID.search(text) or "\0" in text:
        raise ManifestError(f"{source}: {name} is not a name without tabs and line ends: {str(value)[:40]!a}")
    return text
