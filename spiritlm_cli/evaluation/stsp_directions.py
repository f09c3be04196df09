"""What the options of `stsp` choose from. Nothing here imports numpy, so that `--help` does without it."""

from typing import Literal

# t2s: from a text to speech.
Direction = Literal["t2t", "t2s", "s2t", "s2s"]
DIRECTIONS: tuple[Direction, ...] = ("t2t", "t2s", "s2t", "s2s")
Split = Literal["train", "dev", "test"]
LabelName = Literal["sentiment", "emotion"]

_MODALITIES: dict[str, Literal["text", "speech"]] = {"t": "text", "s": "speech"}


def input_of(direction: Direction) -> Literal["text", "speech"]:
    """The modality of a direction's inputs."""
    return _MODALITIES[direction[0]]


def output_of(direction: Direction) -> Literal["text", "speech"]:
    """The modality of a direction's outputs."""
    return _MODALITIES[direction[2]]
