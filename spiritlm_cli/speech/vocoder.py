"""Units to sound."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from spiritlm_cli.audio.clip import Waveform
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.files import load_into, read_tensors, unset
from spiritlm_cli.errors import CheckpointError, SpiritLMError, TokenError
from spiritlm_cli.speech.device import find_device
from spiritlm_cli.speech.hifigan import HifiGan, HifiGanConfig
from spiritlm_cli.speech.weight_norm import fold
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.timeline import frame_units
from spiritlm_cli.tokens.units import FrameUnits, IntArray, Kind, Unit

Durations = Literal["auto", "predict", "keep"]

# What the release speaks with where its configuration doesn't say: its third voice; in base its style
# `conv-default`, in expressive the style unit that its tokenizer hears most in read speech.
DEFAULT_SPEAKER = 2
DEFAULT_STYLE = 8
DEFAULT_STYLE_UNIT = 71

# Frames that are made to sound at once, 20 s: memory does not grow with the length of a line.
WINDOW = 500

# "auto": a line has its repeats where more than this share of its phonetic units equal the one before. In
# lines that do it is about a quarter; in lines that don't it is none, save for a slip of the language model.
REPEATS = 0.1


class Vocoder:
    """HiFi-GAN of a checkpoint, its voices and its styles."""

    def __init__(
        self,
        network: HifiGan,
        speakers: tuple[str, ...] = (),
        styles: tuple[str, ...] = (),
        device: torch.device | None = None,
    ) -> None:
        """speakers: the voices' names, where there are several; styles: those of a base vocoder."""
        self.device = device or torch.device("cpu")
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.config = network.config
        self.speakers = speakers
        self.styles = styles
        self.rate = self.config.sampling_rate

    @classmethod
    def load(cls, model: str | None = "nano", expressive: bool = True, device: str = "auto") -> "Vocoder":
        """The vocoder of a checkpoint: "nano", a folder, or a Hugging Face repository.

        Raises CheckpointError.
        """
        checkpoint = find_checkpoint(model)
        return cls.read(checkpoint.vocoder(expressive), checkpoint.generator(expressive), device)

    @classmethod
    def read(cls, folder: Path, generator: Path, device: str = "auto") -> "Vocoder":
        """The vocoder in the file `generator`, with `config.json`, `speakers.txt`, `styles.txt` in `folder`.

        Raises CheckpointError that names the file at fault.
        """
        place = find_device(device)
        config = HifiGanConfig.read(folder / "config.json")
        network = unset(lambda: HifiGan(config), folder / "config.json")
        load_into(network, fold(read_tensors(generator)))
        speakers = _read_names(folder / "speakers.txt", config.num_speakers) if config.multispkr else ()
        styles = _read_names(folder / "styles.txt", config.num_styles) if config.multistyle else ()
        return cls(network, speakers, styles, place)

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
    ) -> Waveform:
        """All that is speech in a line, as one sound at 16 kHz; `stream` gives it in pieces and explains."""
        pieces = [piece.samples for piece in self.stream(speech, speaker, style, durations)]
        return Waveform(np.concatenate(pieces), self.rate)

    def stream(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        window: int = WINDOW,
    ) -> Iterator[Waveform]:
        """The sound of a line in pieces of `window` frames of 40 ms, the same samples as all at once.

        speaker: a voice's number or name. style: base: a style's number or name; expressive: the number of a
        style unit to speak in throughout, in place of the line's own. durations: "keep" makes each phonetic
        unit a frame, "predict" as many as the duration predictor says, "auto" keeps in lines with repeats.
        Raises TokenError where there is no speech, a unit is not this model's, or pitch is missing;
        SpiritLMError where there is no such voice or style.
        """
        voice, chosen = self.find_speaker(speaker), self.find_style(style)
        spans = speech.speech if isinstance(speech, Sequence) else (speech,)
        frames = self._checked([unit for span in spans for unit in span.units])
        if self.config.expressive and style is not None:
            frames = replace(frames, style=np.full_like(frames.hubert, chosen))
        keep = durations == "keep" or (durations == "auto" and has_repeats(spans))
        return self._pieces(frames, voice, chosen, keep, window)

    def find_speaker(self, speaker: int | str | None) -> int:
        """The number of a voice (None: the default). Raises SpiritLMError where there is no such voice."""
        chosen = self.default_speaker if speaker is None else speaker
        return _find(chosen, self.speakers, max(len(self.speakers), 1), "speaker")

    def find_style(self, style: int | str | None) -> int:
        """The number of a style (None: the default). Raises SpiritLMError where there is no such style."""
        chosen = self.default_style if style is None else style
        count = self.config.num_style_tokens if self.config.expressive else max(len(self.styles), 1)
        return _find(chosen, self.styles, count, "style")

    def _checked(self, units: list[Unit]) -> FrameUnits:
        counts = {Kind.HUBERT: self.config.num_embeddings}
        if self.config.expressive:
            counts |= {Kind.PITCH: self.config.num_f0_tokens, Kind.STYLE: self.config.num_style_tokens}
        for unit in units:
            if unit.kind in counts and unit.id >= counts[unit.kind]:
                last = Unit(unit.kind, counts[unit.kind] - 1)
                raise TokenError(
                    f"{unit} is not a unit of this vocoder, which has {Unit(unit.kind, 0)} to {last}"
                )
        frames = frame_units(units, self.default_style)
        if not len(frames.hubert):
            raise TokenError(
                "no speech to decode: no [Hu…] units; if a model ended at once, try another --seed"
            )
        if self.config.expressive and frames.pitch is None:
            raise TokenError("no pitch: the expressive vocoder needs [Pi…] units, the base vocoder does not")
        return frames

    @torch.inference_mode()
    def _pieces(
        self, frames: FrameUnits, speaker: int, style: int, keep: bool, window: int
    ) -> Iterator[Waveform]:
        """speaker, style: numbers; the style is that of a base vocoder."""
        hubert = self._tensor(frames.hubert)
        lasting = torch.ones_like(hubert) if keep else self.network.durations(hubert[None])[0]
        streams = [hubert.repeat_interleave(lasting)]
        if self.config.expressive:
            assert frames.pitch is not None
            assert frames.style is not None
            streams += [self._tensor(ids).repeat_interleave(lasting) for ids in (frames.pitch, frames.style)]
        voice = torch.tensor([speaker], device=self.device)
        margin, hop = self.network.context, self.config.code_hop_size
        for start in range(0, len(streams[0]), window):
            first = max(start - margin, 0)
            seen = [stream[None, first : start + window + margin] for stream in streams]
            if self.config.expressive:
                sound = self.network(seen[0], voice, pitch=seen[1], style=seen[2])[0]
            else:
                sound = self.network(seen[0], voice, style=torch.tensor([style], device=self.device))[0]
            sound = sound[(start - first) * hop :][: window * hop]
            yield Waveform(sound.float().cpu().numpy(), self.rate)

    def _tensor(self, ids: IntArray) -> Tensor:
        return torch.from_numpy(ids).to(self.device)


def has_repeats(spans: Iterable[SpeechSpan]) -> bool:
    """Whether spans were written with their repeats: many phonetic units are equal to the one before."""
    pairs = [pair for span in spans for pair in pairwise(u.id for u in span.units if u.kind is Kind.HUBERT)]
    return sum(one == next_one for one, next_one in pairs) > REPEATS * len(pairs)


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
