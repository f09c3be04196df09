"""Units to sound."""

import copy
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.batching import BatchScheduler
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.tensors import load_into, read_tensors, unset
from spiritlm_cli.checkpoints.weight_norm import fold
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.nn.device import Trimmer, default_batch_seconds, find_device, find_dtype, to_device
from spiritlm_cli.nn.layers import compile_parts, prepack_weights
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.vocoder.cpu_inference import optimize_for_cpu, synthesize
from spiritlm_cli.vocoder.durations import Timing
from spiritlm_cli.vocoder.hifigan import HifiGan, HifiGanConfig
from spiritlm_cli.vocoder.windows import Durations, Window, WindowBuilder

T = TypeVar("T")

# What the release speaks with where its configuration doesn't say: its third voice; in base its style
# `conv-default`, in expressive the style unit that its tokenizer hears most in read speech.
DEFAULT_SPEAKER = 2
DEFAULT_STYLE = 8
DEFAULT_STYLE_UNIT = 71

# Sound that a CPU computes at once for each core, and for all: between the stages of the network one waits for the
# others, which takes less of more.
CORE_SECONDS = 40.0
MOST_SECONDS = 1200.0

# Frames that are made to sound at once, 20 s: memory does not grow with the length of a line.
WINDOW = 500


class Vocoder:
    """HiFi-GAN of a checkpoint, its voices and its styles."""

    def __init__(
        self,
        network: HifiGan,
        speakers: tuple[str, ...] = (),
        styles: tuple[str, ...] = (),
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """speakers: the voices' names, where there are several; styles: those of a base vocoder."""
        self.device = device or torch.device("cpu")
        frame = network.config.code_hop_size / network.config.sampling_rate
        self.timing = Timing(copy.deepcopy(network.dict), copy.deepcopy(network.dur_predictor), frame)
        self.network = network.to(self.device, dtype).eval().requires_grad_(False)
        self.config = network.config
        self._trim = Trimmer()
        # whether each sound is computed by itself, and a CPU's cores share them out
        self._on_cores = self.device.type == "cpu"
        self.speakers = speakers
        self.styles = styles
        self.rate = self.config.sampling_rate

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        expressive: bool = True,
        device: str = "auto",
        dtype: str = "float32",
        compile: bool = False,  # noqa: A002
    ) -> "Vocoder":
        """The vocoder of a checkpoint: "nano", a folder, or a Hugging Face repository.

        dtype: what the network computes with, float32, bfloat16 or float16; compile: let torch.compile work on it.
        Raises CheckpointError.
        """
        checkpoint = find_checkpoint(model)
        vocoder = cls.read(checkpoint.vocoder(expressive), checkpoint.generator(expressive), device, dtype)
        if compile:
            compile_parts(vocoder.network)
            vocoder._on_cores = False
        elif vocoder.device.type == "cpu":
            optimize_for_cpu(vocoder.network)
            prepack_weights(vocoder.network)
        return vocoder

    @classmethod
    def read(cls, folder: Path, generator: Path, device: str = "auto", dtype: str = "float32") -> "Vocoder":
        """The vocoder in the file `generator`, with `config.json`, `speakers.txt`, `styles.txt` in `folder`.

        Raises CheckpointError that names the file at fault.
        """
        place = find_device(device)
        config = HifiGanConfig.read(folder / "config.json")
        network = unset(lambda: HifiGan(config), folder / "config.json")
        load_into(network, fold(read_tensors(generator)))
        speakers = _read_names(folder / "speakers.txt", config.num_speakers) if config.multispkr else ()
        styles = _read_names(folder / "styles.txt", config.num_styles) if config.multistyle else ()
        return cls(network, speakers, styles, place, find_dtype(dtype, place))

    @property
    def default_speaker(self) -> int:
        """The voice that speaks where none is asked for."""
        stated = self.config.default_speaker
        return min(DEFAULT_SPEAKER, max(len(self.speakers) - 1, 0)) if stated is None else stated

    @property
    def default_style(self) -> int:
        """Base: the style where none is asked for. Expressive: the style unit of lines that have none."""
        if self.config.default_style is not None:
            return self.config.default_style
        if self.config.expressive:
            return min(DEFAULT_STYLE_UNIT, self.config.num_style_tokens - 1)
        return min(DEFAULT_STYLE, max(len(self.styles) - 1, 0))

    def decode(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        after: Sequence | SpeechSpan | None = None,
    ) -> Waveform:
        """All that is speech in a line, as one sound at 16 kHz; `windows` explains the arguments and errors."""
        windows = partial(self.windows, speaker=speaker, style=style, durations=durations, after=after)
        return self._joined(self.synthesize_stream([speech], windows))[0]

    def decode_batch(
        self,
        speech: Iterable[Sequence | SpeechSpan],
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        batch_seconds: float | None = None,
    ) -> list[Waveform]:
        """The sounds of several lines, each what `decode` makes of it alone."""
        windows = partial(self.windows, speaker=speaker, style=style, durations=durations)
        return self._joined(self.synthesize_stream(speech, windows, batch_seconds))

    def _joined(self, spoken: Iterable[tuple[T, Iterable[Waveform]]]) -> list[Waveform]:
        return [Waveform(np.concatenate([part.samples for part in parts]), self.rate) for _, parts in spoken]

    def stream(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        window: int = WINDOW,
        after: Sequence | SpeechSpan | None = None,
    ) -> Iterator[Waveform]:
        """The sound of a line in pieces of `window` frames of 40 ms, the same samples as all at once."""
        for piece in self.windows(speech, speaker, style, durations, window, after):
            yield self.speak([piece])[0]

    def follow(
        self,
        pieces: Iterable[Sequence | SpeechSpan],
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        after: Sequence | SpeechSpan | None = None,
    ) -> Iterator[Waveform]:
        """The sound of a line that is still growing, as `decode` makes it of the whole, in pieces as they are certain.

        pieces: of the line, one after another. When one has been added, and it makes half a second or more of sound
        certain, all of that is given (20 s at most at a time); the rest when there are no more. Durations: "auto" is
        decided once 20 phonetic units without repeats, or as clear a number with them, have come.
        Raises what `windows` does, when it comes to be known.
        """
        stretches = WindowBuilder(self, self.find_speaker(speaker), style, durations, WINDOW, after)
        for piece in pieces:
            stretches.add(piece)
            for window in stretches.certain():
                yield self.speak([window])[0]
        for window in stretches.finish():
            yield self.speak([window])[0]

    def synthesize_stream(
        self,
        items: Iterable[T],
        windows: Callable[[T], Iterable[Window]],
        batch_seconds: float | None = None,
    ) -> BatchScheduler[T, Window, Waveform]:
        """Items in order, each with an iterator over the sound of its windows; see `BatchScheduler`."""
        if batch_seconds is None:
            shared = min(CORE_SECONDS * torch.get_num_threads(), MOST_SECONDS)
            batch_seconds = shared if self._on_cores else default_batch_seconds(self.device)
        seconds = self.timing.frame
        return BatchScheduler(
            items, windows, self.speak, size=lambda window: window.streams.shape[1] * seconds, max_batch=batch_seconds,
            workers=0, max_buffered=max(4 * batch_seconds, 4 * WINDOW * seconds),
        )  # fmt: skip

    def windows(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        window: int = WINDOW,
        after: Sequence | SpeechSpan | None = None,
    ) -> list[Window]:
        """A line as stretches of `window` frames of 40 ms, which `speak` makes the line's sound of, one after another.

        speaker: a voice's number or name. style: base: a style's number or name; expressive: the number of a
        style unit to speak in throughout, in place of the line's own. durations: "keep" makes each phonetic
        unit a frame, "predict" as many as the duration predictor says, "auto" keeps in lines with repeats.
        after: what the line follows, such as a prompt. Where that ends in speech, its last span is decoded together
        with the line, and its part of the sound left out: pitch and style carry over, and there is no jump.
        Raises TokenError where there is no speech, a unit is not this model's, or pitch is missing;
        SpiritLMError where there is no such voice or style.
        """
        stretches = WindowBuilder(self, self.find_speaker(speaker), style, durations, window, after)
        stretches.add(speech)
        return list(stretches.finish())

    @torch.inference_mode()
    def speak(self, windows: TypingSequence[Window]) -> list[Waveform]:
        """The sound of each window."""
        self._trim()
        if self._on_cores:
            sounds = [self.network.embed(*self._arguments([window])) for window in windows]
            made = [sound[0].float().numpy() for sound in synthesize(self.network, sounds)]
        elif self.device.type == "cpu":
            made = [self._sound([window])[0] for window in windows]
        else:
            made = list(self._sound(windows))
        hop = self.config.code_hop_size
        return [
            Waveform(sound[window.skipped * hop :][: window.kept * hop], self.rate)
            for sound, window in zip(made, windows, strict=True)
        ]

    def _sound(self, windows: TypingSequence[Window]) -> NDArray[np.float32]:
        """(batch, samples) of windows padded to the longest."""
        lengths = [window.streams.shape[1] for window in windows]
        real = to_device(np.array(lengths), self.device) if len(set(lengths)) > 1 else None
        samples: NDArray[np.float32] = (
            self.network(*self._arguments(windows), lengths=real).float().cpu().numpy()
        )
        return samples

    def _arguments(self, windows: TypingSequence[Window]) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Units, voices, pitch and style as the network takes them, each (batch, frames) or (batch,)."""
        lengths = [window.streams.shape[1] for window in windows]
        padded = np.zeros((len(windows[0].streams), len(windows), max(lengths)), dtype=np.int64)
        for row, window in enumerate(windows):
            padded[:, row, : lengths[row]] = window.streams
        ids = to_device(padded, self.device)
        voice, style = to_device(
            np.array([[w.voice for w in windows], [w.style for w in windows]]), self.device
        )
        return (ids[0], voice, ids[1], ids[2]) if self.config.expressive else (ids[0], voice, None, style)

    def find_speaker(self, speaker: int | str | None) -> int:
        """The number of a voice (None: the default). Raises SpiritLMError where there is no such voice."""
        chosen = self.default_speaker if speaker is None else speaker
        return _find(chosen, self.speakers, max(len(self.speakers), 1), "speaker")

    def find_style(self, style: int | str | None) -> int:
        """The number of a style (None: the default). Raises SpiritLMError where there is no such style."""
        chosen = self.default_style if style is None else style
        count = self.config.num_style_tokens if self.config.expressive else max(len(self.styles), 1)
        return _find(chosen, self.styles, count, "style")


def _find(wanted: int | str, names: tuple[str, ...], count: int, what: str) -> int:
    """The number of `wanted`, which is a name, a number, or a number as a string."""
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if str(wanted).isdecimal() and int(wanted) < count:
        return int(wanted)
    known = f" ({', '.join(names)})" if names else ""
    raise SpiritLMError(f"no {what} {wanted}: this vocoder has 0 to {count - 1}{known}")


def _read_names(path: Path, count: int) -> tuple[str, ...]:
    """One name a line. Raises CheckpointError where the file is missing or has not `count` of them."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path}: {'missing' if isinstance(error, FileNotFoundError) else error}"
        ) from error
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != count:
        raise CheckpointError(f"{path}: {len(names)} names, expected {count}")
    return names
