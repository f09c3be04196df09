"""Speakers and styles that a vocoder has."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.console import one_line
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.files import read_limited
from spiritlm_cli.vocoder.config import HifiGanConfig

# Defaults of the published vocoders, for configurations that state none: the third speaker; for base the style
# `conv-default`, for expressive the style unit that is most frequent in read speech.
DEFAULT_SPEAKER = 2
DEFAULT_STYLE = 8
DEFAULT_STYLE_UNIT = 71

_MAX_NAME_BYTES = 1_000_000


@dataclass(frozen=True)
class Voice:
    """What a sequence is synthesized with.

    speaker: index of the speaker. style: of a base vocoder the index of the style; of an expressive vocoder a style
    unit, which replaces the sequence's own if `override_style`, and otherwise is used by sequences that have none.
    """

    speaker: int
    style: int
    override_style: bool = False


@dataclass(frozen=True)
class Voices:
    """The speakers and styles of a vocoder.

    speakers, styles: names of the speakers, and of a base vocoder's styles; empty if there is only one.
    """

    config: HifiGanConfig
    speakers: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, config: HifiGanConfig) -> "Voices":
        """Read `speakers.txt` and `styles.txt` in a vocoder's folder. Raises CheckpointError that names the file."""
        speakers = _read_names(folder / "speakers.txt", config.num_speakers) if config.multispkr else ()
        styles = _read_names(folder / "styles.txt", config.num_styles) if config.multistyle else ()
        return cls(config, speakers, styles)

    @classmethod
    def of_checkpoint(cls, model: str | Checkpoint | None, expressive: bool) -> "Voices":
        """Read the voices of a checkpoint's vocoder, without its weights. Raises CheckpointError."""
        config = find_checkpoint(model).vocoder_config(expressive)
        return cls.read(config.parent, HifiGanConfig.read(config))

    def describe(self) -> str:
        """The speakers and styles, each with its number, as lines of text."""
        speakers = self.speakers or ("the only speaker",)
        lines = ["speakers", *_numbered(speakers, self.default_speaker), "styles"]
        if self.config.expressive:
            lines.append(
                f"  0 to {self.config.num_style_tokens - 1}  style units; {self.default_style} where a line has none"
            )
        else:
            lines += _numbered(self.styles or ("the only style",), self.default_style)
        return "\n".join(lines)

    @property
    def default_speaker(self) -> int:
        """Index of the speaker that is used if none is given."""
        default = self.config.default_speaker
        return min(DEFAULT_SPEAKER, max(len(self.speakers) - 1, 0)) if default is None else default

    @property
    def default_style(self) -> int:
        """Base: index of the style used if none is given. Expressive: style unit of sequences that have none."""
        if self.config.default_style is not None:
            return self.config.default_style
        if self.config.expressive:
            return min(DEFAULT_STYLE_UNIT, self.config.num_style_tokens - 1)
        return min(DEFAULT_STYLE, max(len(self.styles) - 1, 0))

    def select(self, speaker: int | str | None = None, style: int | str | None = None) -> Voice:
        """Return the voice for a speaker and a style, each an index or a name (None: the default).

        Raises SpiritLMError if there is no such speaker or style.
        """
        return Voice(self.speaker_index(speaker), self.style_index(style), style is not None)

    def speaker_index(self, speaker: int | str | None) -> int:
        """Return the index of a speaker (None: the default). Raises SpiritLMError if there is no such speaker."""
        speaker = self.default_speaker if speaker is None else speaker
        return _index(speaker, self.speakers, max(len(self.speakers), 1), "speaker")

    def style_index(self, style: int | str | None) -> int:
        """Return the index of a style (None: the default). Raises SpiritLMError if there is no such style."""
        style = self.default_style if style is None else style
        count = self.config.num_style_tokens if self.config.expressive else max(len(self.styles), 1)
        return _index(style, self.styles, count, "style")


def _numbered(names: tuple[str, ...], default: int) -> list[str]:
    return [
        f"  {number}  {one_line(name)}{'  (default)' if number == default else ''}"
        for number, name in enumerate(names)
    ]


def _index(value: int | str, names: tuple[str, ...], count: int, what: str) -> int:
    """Return the index for a name, an index, or an index as text. Raises SpiritLMError."""
    if isinstance(value, str) and value in names:
        return names.index(value)
    if str(value).isdecimal() and int(value) < count:
        return int(value)
    if count == 1:
        raise SpiritLMError(f"no {what} {value}: this vocoder has one {what}, 0")
    known = f" ({', '.join(names)})" if names else ""
    raise SpiritLMError(f"no {what} {value}: this vocoder has 0 to {count - 1}{known}")


def _read_names(path: Path, count: int) -> tuple[str, ...]:
    """Read `count` names, one per line. Raises CheckpointError if the file is missing or has another number."""
    try:
        lines = read_limited(path, _MAX_NAME_BYTES, CheckpointError).decode().splitlines()
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: {error}") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != count:
        raise CheckpointError(f"{path}: {len(names)} names, expected {count}")
    return names
