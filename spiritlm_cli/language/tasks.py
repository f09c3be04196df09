"""Tasks by example: prompts in a template's form, and answers cut at its end mark."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from spiritlm_cli.config import from_mapping, read_yaml
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.grammar import To
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.tokens.reader import parse_content
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.tokens.writer import format_sequence

FOLDER = Path(__file__).parents[1] / "assets" / "tasks"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))

_PART = re.compile(r"\{(\w+)\}")
_OF_LINE = ("speech", "text", "line")
_SPACES = re.compile(r"(\s+)")
_MARKER = re.compile(r"\[(TEXT|Text|SPEECH|Speech)\]")
_MARKERS: dict[Modality, str] = {"text": "[TEXT]", "speech": "[SPEECH]"}


@dataclass(frozen=True)
class Template:
    """What a task's file says; docs/generate.md explains it.

    example, question: token lines in which `{speech}`, `{text}` or `{line}` stand for that part of a line, and the
    names of `sounds` for their units. to: what the answer is made of. end: what ends it: a text, a sound in braces,
    or a marker for the beginning of another span. sounds: files beside the template. shots: examples, unless another
    number is asked for; max_new_tokens and greedy likewise.
    """

    example: str
    question: str
    to: str
    end: list[str] = field(default_factory=list)
    sounds: dict[str, str] = field(default_factory=dict)
    shots: int = 10
    max_new_tokens: int = 200
    greedy: bool = False

    def __post_init__(self) -> None:
        if self.to not in ("same", "any", "speech", "text"):
            raise ValueError(f"to must be same, any, speech or text, not {self.to!r}")
        if taken := set(self.sounds) & set(_OF_LINE):
            raise ValueError(f"no sound can be called {taken.pop()!r}")
        if self.shots < 0 or self.max_new_tokens < 1 or "" in self.end:
            raise ValueError("shots can't be below 0, max_new_tokens below 1, or an end empty")
        for form in (self.example, self.question, *self.end):
            for name in _PART.findall(form):
                if name not in (*_OF_LINE, *self.sounds):
                    raise ValueError(f"{{{name}}} is neither speech, text, line nor one of the sounds")
        marks = [end for end in self.end if _PART.search(end)]
        if len(marks) > 1 or any(mark[1:-1] not in self.sounds for mark in marks):
            raise ValueError("an end is a text, a marker, or one sound by itself in braces")


class Task:
    """A template, with its sounds in units."""

    def __init__(self, name: str, template: Template, sounds: Mapping[str, SpeechSpan]) -> None:
        self.name, self.template = name, template
        self._sounds = sounds

    @classmethod
    def load(cls, name: str, hear: Callable[[Path], SpeechSpan] | None = None) -> "Task":
        """The task of that name, or of a template's file. hear: gives the units of its sounds, where it has any.

        Raises CheckpointError that names what is wrong with the template, and what `hear` raises; ValueError where
        there are sounds and nothing hears them.
        """
        path = FOLDER / f"{name}.yaml" if name in NAMES else Path(name)
        if not path.is_file():
            raise CheckpointError(f"{name}: neither a task ({', '.join(NAMES)}) nor a template's file")
        template = from_mapping(Template, read_yaml(path), path)
        if hear is None and template.sounds:
            raise ValueError(f"{name}: its sounds must be heard")
        sounds = {sound: hear(path.parent / file) for sound, file in template.sounds.items()} if hear else {}
        return cls(path.stem, template, sounds)

    @property
    def to(self) -> To:
        """What the answer is made of."""
        return cast(To, self.template.to)

    def sampling(self, sampling: Sampling) -> Sampling:
        """The same, ended by the task's marks."""
        texts = [end for end in self.template.end if not _PART.search(end) and not _MARKER.fullmatch(end)]
        heard = [end[1:-1] for end in self.template.end if _PART.search(end)]
        units = [unit for sound in heard for unit in self._sounds[sound].units]
        return replace(
            sampling,
            stop=(*sampling.stop, *texts),
            stop_units=tuple(unit.id for unit in units if unit.kind is Kind.HUBERT),
            one_span=any(_MARKER.fullmatch(end) for end in self.template.end),
        )

    def prompt(self, question: Line, examples: TypingSequence[Line] = ()) -> Prompt:
        """A question after examples. Raises TokenError for a line that lacks what the task is about."""
        return Prompt(
            self._filled(self.template.question, question),
            tuple(map(self.example, examples)),
        )

    def example(self, line: Line) -> Sequence:
        """A line that is solved, in the task's form. Raises TokenError as `prompt` does."""
        return self._filled(self.template.example, line).sequence

    def choose(
        self,
        examples: TypingSequence[Line],
        shots: int | None,
        question: Line,
        draw: random.Random | None = None,
    ) -> list[Line]:
        """So many of the examples, the first ones or such as are drawn; never the question itself, by its id.

        shots: None is the template's number, or as many as there are. Raises TokenError where there are not so many.
        """
        others = [line for line in examples if line.id is None or line.id != question.id]
        if shots is None:
            shots = min(self.template.shots, len(others))
        if len(others) < shots:
            raise TokenError(
                f"{len(others)} examples beside the line itself, for a prompt of {shots}; give more, or fewer shots"
            )
        return draw.sample(others, shots) if draw else others[:shots]

    def cleaned(self, answer: Iterable[Span]) -> Iterator[Span]:
        """An answer, which may come in pieces; one in text without white space around it, and with single spaces."""
        begun = gap = False
        for span in answer:
            if not isinstance(span, TextSpan) or self.to != "text":
                yield span
                continue
            words = []
            for word in filter(None, _SPACES.split(span.text)):
                if word.isspace():
                    gap = begun
                else:
                    words.append(f" {word}" if gap else word)
                    begun, gap = True, False
            if words:
                yield TextSpan("".join(words))

    def _filled(self, form: str, line: Line) -> Line:
        def part(match: re.Match[str]) -> str:
            opened = _MARKERS[line.opens] if match[1] == "line" and line.opens else ""
            return format_sequence(self._part(match[1], line.sequence)) + opened

        return parse_content(_PART.sub(part, form), name=line.id)

    def _part(self, name: str, sequence: Sequence) -> Sequence:
        if name in self._sounds:
            return Sequence((self._sounds[name],))
        if name == "line":
            return sequence
        kind = cast(Literal["speech", "text"], name)
        if kind == "speech":
            found = Sequence.of([SpeechSpan(tuple(unit for span in sequence.speech for unit in span.units))])
        else:
            spans = [span.text for span in sequence.spans if isinstance(span, TextSpan)]
            found = Sequence.of([TextSpan(" ".join(" ".join(spans).split()))])
        if not found.spans:
            raise TokenError(f"the task {self.name} is about {kind}, and this line has none")
        return found
