"""Few-shot tasks: prompts built from a template, and answers cut at its end mark."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar, cast

from spiritlm_cli.config import from_mapping, read_yaml
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.grammar import RequestedModality
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.reader import parse_content
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.tokens.writer import format_sequence

FOLDER = Path(__file__).parents[1] / "assets" / "tasks"
# The tasks of the package.
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_LINE_PARTS = ("speech", "text", "line")
_SPACES = re.compile(r"(\s+)")
_MARKER = re.compile(r"\[(TEXT|Text|SPEECH|Speech)\]")
_MARKERS: dict[Modality, str] = {"text": "[TEXT]", "speech": "[SPEECH]"}


@dataclass(frozen=True)
class Template:
    """The content of a task's YAML file, described in docs/generate.md.

    example, question: token lines with the placeholders `{speech}`, `{text}` and `{line}` for those parts of a line,
    and `{name}` for the units of the sound `name`. to: modality of the answer. start: a text that the model writes
    before a text answer. end: what ends the answer: texts, one sound in braces, or a marker, which stands for the
    beginning of another span. sounds: names, and audio files relative to the template. shots, max_new_tokens, greedy:
    defaults. context: the most tokens of prompt and answer together; None is the model's context.

    Raises ValueError for values that make no task.
    """

    example: str
    question: str
    to: str
    start: str = ""
    end: list[str] = field(default_factory=list)
    sounds: dict[str, str] = field(default_factory=dict)
    shots: int = 10
    context: int | None = None
    max_new_tokens: int = 200
    greedy: bool = False

    def __post_init__(self) -> None:
        if self.to not in ("same", "any", "speech", "text"):
            raise ValueError(f"to must be same, any, speech or text, not {self.to!r}")
        if reserved := set(self.sounds) & set(_LINE_PARTS):
            raise ValueError(f"no sound can be called {reserved.pop()!r}")
        if self.shots < 0 or min(self.max_new_tokens, self.context or 1) < 1 or "" in self.end:
            raise ValueError("shots can't be below 0, max_new_tokens or context below 1, or an end empty")
        for form in (self.example, self.question, *self.end):
            for name in _PLACEHOLDER.findall(form):
                if name not in (*_LINE_PARTS, *self.sounds):
                    raise ValueError(f"{{{name}}} is neither speech, text, line nor one of the sounds")
        if len(self.end_sounds) > 1 or any(name not in self.sounds for name in self.end_sounds):
            raise ValueError("an end is a text, a marker, or one sound by itself in braces")

    @property
    def end_texts(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        return tuple(end for end in self.end if not _PLACEHOLDER.search(end) and not _MARKER.fullmatch(end))

    @property
    def end_sounds(self) -> tuple[str, ...]:
        """The names of the sounds that end an answer."""
        return tuple(end[1:-1] for end in self.end if _PLACEHOLDER.search(end))

    @property
    def ends_at_marker(self) -> bool:
        """Whether the beginning of another span ends an answer."""
        return any(_MARKER.fullmatch(end) for end in self.end)


def load_template(name: str) -> tuple[Path, Template]:
    """Read the template of a task of the package by name, or from a file. Returns it after its path.

    Raises CheckpointError that names what is wrong with it.
    """
    path = FOLDER / f"{name}.yaml" if name in NAMES else Path(name)
    if not path.is_file():
        raise CheckpointError(f"{name}: neither a task ({', '.join(NAMES)}) nor a template's file")
    return path, from_mapping(Template, read_yaml(path), path)


class HasId(Protocol):
    """What `choose_examples` chooses from."""

    @property
    def id(self) -> str | None:
        """Its name, None if it has none."""
        ...


Named = TypeVar("Named", bound=HasId)


class Task:
    """A template with the units of its sounds."""

    def __init__(self, name: str, template: Template, sounds: Mapping[str, SpeechSpan]) -> None:
        self.name, self.template = name, template
        self._sounds = sounds

    @classmethod
    def load(cls, name: str, encode_sound: Callable[[Path], SpeechSpan] | None = None) -> "Task":
        """Load a task of the package by name, or a template from a file.

        encode_sound: computes the units of an audio file, called for each of the template's sounds. Raises
        CheckpointError that names what is wrong with the template; what `encode_sound` raises; ValueError if the
        template has sounds and `encode_sound` is None.
        """
        path, template = load_template(name)
        if template.sounds and encode_sound is None:
            raise ValueError(f"{name}: the template has sounds, which need encode_sound")
        sounds = (
            {sound: encode_sound(path.parent / file) for sound, file in template.sounds.items()}
            if encode_sound
            else {}
        )
        return cls(path.stem, template, sounds)

    @property
    def to(self) -> RequestedModality:
        """Modality of the answer."""
        return cast(RequestedModality, self.template.to)

    def add_stops(self, sampling: Sampling) -> Sampling:
        """Add the task's end marks to the stop conditions."""
        units = [unit for name in self.template.end_sounds for unit in self._sounds[name].units]
        return replace(
            sampling,
            stop=(*sampling.stop, *self.template.end_texts),
            stop_units=tuple(unit.id for unit in units if unit.kind is Kind.HUBERT),
            one_span=self.template.ends_at_marker,
        )

    def mark_tokens(self, vocabulary: Vocabulary) -> int:
        """Number of tokens of the texts that the model writes before and after an answer."""
        end = max((len(vocabulary.encode_text(f" {text}")) for text in self.template.end_texts), default=0)
        return len(vocabulary.encode_text(self.template.start)) + end

    def build_prompt(self, question: Line, examples: TypingSequence[Line] = ()) -> Prompt:
        """Put a question and solved examples into the task's form.

        Raises TokenError for a line without the speech or text that the template uses.
        """
        return Prompt(self._fill(self.template.question, question), tuple(map(self.build_example, examples)))

    def build_example(self, line: Line) -> Sequence:
        """Put a solved example into the task's form. Raises TokenError as `build_prompt`."""
        return self._fill(self.template.example, line).sequence

    def choose_examples(
        self,
        examples: TypingSequence[Named],
        shots: int | None,
        question: Line,
        rng: random.Random | None = None,
    ) -> list[Named]:
        """Choose the examples of a prompt; one with the question's id is never one of them.

        shots: their number; None is the template's number, or all there are if that is less. rng: draws them; None
        takes the first ones. Raises TokenError if there are fewer than `shots`.
        """
        others = [example for example in examples if example.id is None or example.id != question.id]
        if shots is None:
            shots = min(self.template.shots, len(others))
        if len(others) < shots:
            raise TokenError(
                f"{len(others)} examples besides the line itself, fewer than the {shots} of a prompt; give more "
                "examples, or fewer shots"
            )
        return rng.sample(others, shots) if rng else others[:shots]

    def normalize_answer(self, answer: Iterable[Span]) -> Iterator[Span]:
        """Remove the template's `start` from a text answer, and normalize its white space: single spaces within.

        answer: may come in pieces, which are yielded as soon as they can't be a part of `start`. Other answers are not
        changed.
        """
        if self.to != "text":
            yield from answer
            return
        spaced = _normalize_spaces(answer)
        yield from (
            _normalize_spaces(_remove_start(spaced, self.template.start)) if self.template.start else spaced
        )

    def _fill(self, form: str, line: Line) -> Line:
        """Replace the placeholders of a form by parts of a line, and parse the result."""

        def part(match: re.Match[str]) -> str:
            opened = _MARKERS[line.opens] if match[1] == "line" and line.opens else ""
            return format_sequence(self._part(match[1], line.sequence)) + opened

        return parse_content(_PLACEHOLDER.sub(part, form), name=line.id)

    def _part(self, name: str, sequence: Sequence) -> Sequence:
        """The value of a placeholder."""
        if name in self._sounds:
            return Sequence((self._sounds[name],))
        if name == "line":
            return sequence
        modality = cast(Literal["speech", "text"], name)
        if modality == "speech":
            part = Sequence.of([SpeechSpan(tuple(unit for span in sequence.speech for unit in span.units))])
        else:
            texts = [span.text for span in sequence.spans if isinstance(span, TextSpan)]
            part = Sequence.of([TextSpan(" ".join(" ".join(texts).split()))])
        if not part.spans:
            raise TokenError(f"the task {self.name} is about {modality}, and this line has none")
        return part


def _normalize_spaces(answer: Iterable[Span]) -> Iterator[Span]:
    """Yield spans with single spaces between the words of their text, and none around it."""
    has_words = pending_space = False
    for span in answer:
        if not isinstance(span, TextSpan):
            yield span
            continue
        pieces = []
        for piece in filter(None, _SPACES.split(span.text)):
            if piece.isspace():
                pending_space = has_words
            else:
                pieces.append(f" {piece}" if pending_space else piece)
                has_words, pending_space = True, False
        if pieces:
            yield TextSpan("".join(pieces))


def _remove_start(answer: Iterable[Span], start: str) -> Iterator[Span]:
    """Yield spans without the text `start` if they begin with it."""
    held: str | None = ""  # what may be the beginning of `start`; None after that is decided
    for span in answer:
        if held is not None and isinstance(span, TextSpan):
            held += span.text
            if held.startswith(start):
                yield TextSpan(held[len(start) :])
                held = None
            elif not start.startswith(held):
                yield TextSpan(held)
                held = None
        else:
            if held:
                yield TextSpan(held)
            held = None
            yield span
    if held:
        yield TextSpan(held)
