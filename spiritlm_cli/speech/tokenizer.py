"""Sound to units: HuBERT, pitch and style together."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from spiritlm_cli.audio.reading import Channel, read_windows
from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import AudioError, CheckpointError
from spiritlm_cli.manifests.clip import BadClip, Clip, FloatArray, Waveform
from spiritlm_cli.nn.device import Trimmer, default_batch_seconds, find_device, find_dtype, to_device
from spiritlm_cli.nn.layers import compile_parts, prepack_weights
from spiritlm_cli.speech.f0 import F0Tracker, FcpeTracker, Method, load_tracker
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.pitch import PitchVqVae, pitch_features
from spiritlm_cli.speech.quantizer import (
    KMeansQuantizer,
    LinearQuantizer,
    fill_blanks,
    load_quantizer,
    quantized_layer,
)
from spiritlm_cli.speech.style import StyleEncoder
from spiritlm_cli.speech.windows import RATE, SHORTEST, SHORTEST_SECONDS, WINDOW, WINDOW_SECONDS, cut
from spiritlm_cli.tokens.units import IntArray, Units

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ProsodyEncoders:
    """What gives pitch and style units."""

    tracker: F0Tracker
    pitch: PitchVqVae
    style: StyleEncoder


@dataclass(frozen=True, eq=False)
class EncodedWindow:
    """What the networks say of one window of so many samples; `SpeechTokenizer.join` makes units of it.

    classes: (frames,) of the quantizer, blanks and all; f0: (frames,) Hz, 0 where there is no voice; style:
    (seconds,) units. f0 and style are None where only phonetic units are asked for.
    """

    samples: int
    classes: IntArray
    f0: FloatArray | None = None
    style: IntArray | None = None


class SpeechTokenizer:
    """Waveform to units: phonetic ones alone (base), or with pitch and style (expressive)."""

    def __init__(
        self,
        hubert: Hubert,
        quantizer: LinearQuantizer | KMeansQuantizer,
        prosody: ProsodyEncoders | None,
        device: torch.device,
    ) -> None:
        """hubert and prosody: on the device, and in what they compute with; the quantizer is moved there."""
        self.hubert = hubert
        self.quantizer = quantizer.to(device)
        self.prosody = prosody
        self.device = device
        self.rate = hubert.task.sample_rate
        self._trim = Trimmer()

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        expressive: bool = True,
        f0: Method = "fcpe",
        device: str = "auto",
        dtype: str = "float32",
        compile: bool = False,  # noqa: A002
    ) -> "SpeechTokenizer":
        """The tokenizer of a checkpoint: "nano", a folder, or a Hugging Face repository.

        expressive: whether to give pitch and style units too; f0: how pitch is tracked; dtype: what the encoders
        compute with, float32, bfloat16 or float16 (others than float32 change some units); compile: let
        torch.compile work on them.
        Raises CheckpointError.
        """
        checkpoint, place = find_checkpoint(model), find_device(device)
        number = find_dtype(dtype, place)
        path = checkpoint.quantizer
        hubert = Hubert.load(checkpoint.hubert, quantized_layer(path))
        quantizer = load_quantizer(path)
        if quantizer.dim != (dim := hubert.config.encoder_embed_dim):
            raise CheckpointError(
                f"{path}: takes features of width {quantizer.dim}, but those of {checkpoint.hubert} are {dim} wide"
            )
        prosody = _load_prosody(checkpoint, f0, place, number) if expressive else None
        tokenizer = cls(hubert.to(place, number), quantizer, prosody, place)
        networks: list[nn.Module | None] = [tokenizer.hubert, tokenizer.quantizer]
        if prosody:
            networks += [prosody.style, prosody.tracker.network]
        for network in networks:
            if network is not None:
                (compile_parts if compile else prepack_weights)(network)
        return tokenizer

    def encode(self, waveform: Waveform) -> Units:
        """The units of a clip of any length from 80 ms.

        waveform: at the tokenizer's rate, 16 kHz. Sounds over 100 s are encoded in windows of 100 s.
        Raises AudioError where it is too short, has another rate, or holds samples that are no numbers.
        """
        return self.encode_batch([waveform])[0]

    def encode_batch(self, waveforms: Iterable[Waveform], batch_seconds: float | None = None) -> list[Units]:
        """The units of clips of any lengths, of each what `encode` says of it alone.

        batch_seconds: how much sound goes through the networks at a time (None: what the device has room for).
        Raises AudioError as `encode`.
        """
        batches = self.encode_windows_stream(
            waveforms, lambda waveform: cut(self.checked(waveform)), batch_seconds
        )
        return [self.join(list(heard)) for _, heard in batches]

    def encode_stream(
        self,
        clips: Iterable[Clip | BadClip],
        *,
        channel: Channel = "mix",
        batch_seconds: float | None = None,
        workers: int = 2,
        stream: bool = False,
    ) -> Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]:
        """Encode clips in batches. Yields (clip, outcome) in order; the outcome raises AudioError or ManifestError.

        `workers` threads read files while the networks compute; files over 100 s are read in windows of 100 s.
        stream: yield the units of each window as soon as it is encoded, as if it were a clip of its own (pitch is then
        relative to the window's mean, not to the clip's). Otherwise the outcome has one result: the units of the clip.
        """
        windows = partial(self._read_windows, channel=channel)
        for clip, heard in self.encode_windows_stream(clips, windows, batch_seconds, workers):
            yield clip, self._joined(heard, stream)

    def _joined(self, windows: Outcome[EncodedWindow], stream: bool) -> Outcome[Units]:
        if stream:
            return windows.map(lambda window: self.join([window]))
        return Outcome.of(lambda: self.join(list(windows)))

    def _read_windows(self, clip: Clip | BadClip, channel: Channel) -> Iterator[FloatArray]:
        if isinstance(clip, BadClip):
            raise clip.error
        for window in read_windows(
            clip, rate=self.rate, channel=channel, window_seconds=WINDOW_SECONDS, min_seconds=SHORTEST_SECONDS
        ):
            yield self.checked(window)

    def encode_windows_stream(
        self,
        items: Iterable[T],
        windows: Callable[[T], Iterable[FloatArray]],
        batch_seconds: float | None = None,
        workers: int = 1,
    ) -> BatchScheduler[T, FloatArray, EncodedWindow]:
        """Items in order, each with an iterator over what is heard in its windows; see `BatchScheduler`.

        windows: of an item, as `windows.cut` cuts them, read by `workers` threads beside the networks' work.
        """
        budget = default_batch_seconds(self.device) if batch_seconds is None else batch_seconds
        return BatchScheduler(
            items, windows, self.hear, size=lambda window: len(window) / RATE, max_batch=budget, workers=workers,
            max_buffered=max(4 * budget, 2 * WINDOW_SECONDS),
        )  # fmt: skip

    @torch.inference_mode()
    def hear(self, windows: Sequence[FloatArray]) -> list[EncodedWindow]:
        """What is heard in each window: (samples,) at 16 kHz, from 80 ms to 100 s; see `windows.cut`."""
        self._trim()
        samples = [len(window) for window in windows]
        on_device = torch.split(to_device(np.concatenate(windows), self.device), samples)
        # what is left at the end of a clip, under 80 ms, is for the F0 tracker alone
        waveforms = [waveform[:WINDOW] for waveform in on_device]
        features = self.hubert(waveforms)
        frames = [len(clip) for clip in features]
        classes = self.quantizer(torch.cat(features).float())
        if self.prosody is None:
            return [EncodedWindow(*parts) for parts in zip(samples, _split(classes, frames), strict=True)]
        style = self.prosody.style(waveforms)
        seconds = [len(units) for units in style]
        tracker = self.prosody.tracker
        f0 = tracker.hear(on_device) if isinstance(tracker, FcpeTracker) else tracker.voiced_f0(windows)
        # all has been started on the device before the first answer is waited for
        return [
            EncodedWindow(*parts)
            for parts in zip(
                samples, _split(classes, frames), f0, _split(torch.cat(style), seconds), strict=True
            )
        ]

    @torch.inference_mode()
    def join(self, heard: Sequence[EncodedWindow]) -> Units:
        """The units of a clip from what was heard in its windows."""
        hubert = fill_blanks(np.concatenate([part.classes for part in heard]), self.quantizer.blank)
        if self.prosody is None:
            return Units(hubert)
        samples = sum(part.samples for part in heard)
        track = self.prosody.tracker.join([part.f0 for part in heard if part.f0 is not None], samples)
        features = pitch_features(track, self.prosody.pitch.config.relative)
        pitch: IntArray = self.prosody.pitch(features[None])[0].numpy()
        return Units(hubert, pitch, np.concatenate([part.style for part in heard if part.style is not None]))

    def checked(self, waveform: Waveform) -> FloatArray:
        """The samples. Raises AudioError where `encode` would."""
        if waveform.rate != self.rate:
            raise AudioError(f"sound at {waveform.rate} Hz; the tokenizer takes {self.rate} Hz")
        if len(waveform.samples) < SHORTEST:
            raise AudioError(
                f"too short: {int(1000 * waveform.seconds)} ms of sound; units need at least "
                f"{1000 * SHORTEST_SECONDS:.0f} ms"
            )
        if not np.isfinite(waveform.samples).all():
            raise AudioError("not sound: there are samples that are infinite or not a number")
        return waveform.samples


def _load_prosody(
    checkpoint: Checkpoint, f0: Method, device: torch.device, dtype: torch.dtype
) -> ProsodyEncoders:
    style = StyleEncoder.load(checkpoint.style).to(device, dtype)
    # the VQ-VAE stays on the CPU: it is small, and F0 is put together there
    pitch = PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)
    return ProsodyEncoders(load_tracker(f0, device), pitch, style)


def _split(units: Tensor, counts: Sequence[int]) -> list[IntArray]:
    return np.split(units.cpu().numpy(), np.cumsum(counts)[:-1])
