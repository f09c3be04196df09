"""The speech tokenizer: waveform to phonetic, pitch and style units."""

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
from spiritlm_cli.console import log, one_line
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.manifests.clip import BadClip, Clip, FloatArray, Waveform
from spiritlm_cli.nn.device import check_finite, find_device, find_dtype, to_device
from spiritlm_cli.nn.layers import compile_modules, prepack_weights
from spiritlm_cli.nn.memory import BATCH_ADVICE, Trimmer, default_batch_seconds
from spiritlm_cli.speech.f0 import F0Method, F0Tracker, FcpeTracker, load_tracker
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.pitch import PitchVqVae, pitch_features
from spiritlm_cli.speech.quantizer import (
    KMeansQuantizer,
    LinearQuantizer,
    fill_blanks,
    load_quantizer,
    quantizer_layer,
)
from spiritlm_cli.speech.style import FRAMES_PER_UNIT, StyleEncoder
from spiritlm_cli.speech.windows import (
    MIN_LEVEL,
    MIN_SECONDS,
    SAMPLE_RATE,
    WINDOW_SAMPLES,
    WINDOW_SECONDS,
    check_hop,
    check_samples,
    split_windows,
)
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import IntArray, Units

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ProsodyEncoders:
    """The encoders of pitch and style units.

    The tracker and the style encoder are on the tokenizer's device, the pitch VQ-VAE is on the CPU.
    """

    tracker: F0Tracker
    pitch: PitchVqVae
    style: StyleEncoder


@dataclass(frozen=True, eq=False)
class EncodedWindow:
    """Network outputs for one window of a clip; `SpeechTokenizer.join_windows` turns them into units.

    samples: number of samples at 16 kHz. classes: (frames,) int64 quantizer classes at 25 Hz, including the CTC blank.
    f0: (f0 frames,) float32 Hz, 0 where unvoiced. style: (seconds,) int64 style units. f0 and style are None if the
    tokenizer gives phonetic units only.
    """

    samples: int
    classes: IntArray
    f0: FloatArray | None = None
    style: IntArray | None = None


class SpeechTokenizer:
    """Encodes waveforms as units: phonetic units (base), or phonetic, pitch and style units (expressive)."""

    def __init__(
        self,
        hubert: Hubert,
        quantizer: LinearQuantizer | KMeansQuantizer,
        prosody: ProsodyEncoders | None,
        device: torch.device,
    ) -> None:
        """hubert, prosody: already on `device`, in the dtype they compute with. prosody: None for phonetic units only.
        The quantizer is moved to `device`.
        """
        self.hubert = hubert
        self.quantizer = quantizer.to(device)
        self.prosody = prosody
        self.device = device
        self.rate = hubert.task.sample_rate
        self._trim = Trimmer()

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        expressive: bool = True,
        f0: F0Method = "fcpe",
        device: str = "auto",
        dtype: str = "float32",
        compile: bool = False,  # noqa: A002
    ) -> "SpeechTokenizer":
        """Load the tokenizer of a checkpoint.

        model: see `find_checkpoint`.
        expressive: encode pitch and style units too. f0: the pitch tracker.
        dtype: of HuBERT and the style encoder: "float32", "bfloat16" or "float16". Others than float32 change some
        units. compile: run torch.compile on the networks.
        Raises CheckpointError if the checkpoint or one of its files can't be used, SpiritLMError for the device.
        """
        checkpoint, target = find_checkpoint(model), find_device(device)
        compute_dtype = find_dtype(dtype, target)
        path = checkpoint.quantizer
        hubert = Hubert.load(checkpoint.hubert, quantizer_layer(path))
        check_hop(checkpoint.hubert, hubert.config.encoder.hop, 25)
        quantizer = load_quantizer(path)
        if quantizer.dim != (dim := hubert.config.encoder_embed_dim):
            raise CheckpointError(
                f"{path}: takes features of width {quantizer.dim}, but those of {checkpoint.hubert} are {dim} wide"
            )
        prosody = _load_prosody(checkpoint, f0, target, compute_dtype) if expressive else None
        tokenizer = cls(hubert.to(target, compute_dtype), quantizer, prosody, target)
        networks: list[nn.Module | None] = [tokenizer.hubert, tokenizer.quantizer]
        if prosody:
            networks += [prosody.style, prosody.tracker.network]
        for network in networks:
            if network is not None:
                (compile_modules if compile else prepack_weights)(network)
        return tokenizer

    def tokenize(self, waveform: Waveform, keep_repeats: bool = False) -> TokenSequence:
        """Encode a clip as a sequence of one speech span, with the units of all streams in time order.

        keep_repeats: keep runs of equal phonetic and pitch units, which are otherwise merged into one unit.
        Raises AudioError as `encode` does.
        """
        return TokenSequence.of([merge_streams(self.encode(waveform), keep_repeats)])

    def encode(self, waveform: Waveform) -> Units:
        """Encode a clip of at least 80 ms. Clips over 100 s are encoded in windows of 100 s.

        waveform: at 16 kHz. Raises AudioError if it is too short, has another rate, or has samples that are NaN,
        infinite or over 16.
        """
        return self.encode_batch([waveform])[0]

    def encode_batch(self, waveforms: Iterable[Waveform], batch_seconds: float | None = None) -> list[Units]:
        """Encode clips of any lengths. The units of a clip don't depend on the other clips in its batch.

        batch_seconds: seconds of audio that are processed together (None: `default_batch_seconds`).
        Raises AudioError as `encode` does.
        """
        batches = self.encode_windows_stream(
            waveforms, lambda waveform: split_windows(self.check_waveform(waveform)), batch_seconds
        )
        return [self.join_windows(list(windows)) for _, windows in batches]

    def encode_stream(
        self,
        clips: Iterable[Clip | BadClip],
        *,
        channel: Channel = "mix",
        batch_seconds: float | None = None,
        workers: int = 2,
        stream: bool = False,
    ) -> Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]:
        """Encode clips in batches. Yields (clip, outcome) in the order of `clips`.

        The outcome's result is the units of the clip; it raises AudioError or ManifestError in their place.
        channel: see `read_audio`. workers: threads that read files while the networks compute.
        stream: yield the units of each window of 100 s as soon as it is encoded, as if it were a clip of its own: pitch
        is then relative to the window's mean F0, not to the clip's. The outcome then has one result for each window.
        """
        read = partial(self.read_windows, channel=channel)
        for clip, windows in self.encode_windows_stream(clips, read, batch_seconds, workers):
            yield clip, self._join_outcome(windows, stream)

    def _join_outcome(self, windows: Outcome[EncodedWindow], stream: bool) -> Outcome[Units]:
        if stream:
            return windows.map(lambda window: self.join_windows([window]))
        return Outcome.of(lambda: self.join_windows(list(windows)))

    def read_windows(self, clip: Clip | BadClip, channel: Channel = "mix") -> Iterator[FloatArray]:
        """Read a clip in windows for `encode_windows_stream`. Raises AudioError, and the error of a `BadClip`."""
        if isinstance(clip, BadClip):
            raise clip.error
        peak = 0.0
        for window in read_windows(
            clip, rate=self.rate, channel=channel, window_seconds=WINDOW_SECONDS, min_seconds=MIN_SECONDS
        ):
            samples = self.check_waveform(window)
            peak = max(peak, float(np.abs(samples).max()))
            yield samples
        if peak == 0:
            log.warning("%s: all of its samples are 0; its units are those of silence", one_line(clip.id))
        elif peak < MIN_LEVEL:
            level = f"its largest sample is {peak:.2g}, where full scale is 1"
            log.warning("%s: %s; the units of such quiet speech are not reliable", one_line(clip.id), level)

    def encode_windows_stream(
        self,
        items: Iterable[T],
        windows: Callable[[T], Iterable[FloatArray]],
        batch_seconds: float | None = None,
        workers: int = 1,
    ) -> BatchScheduler[T, FloatArray, EncodedWindow]:
        """Encode the windows of items in batches. Yields (item, outcome) in order; see `BatchScheduler`.

        windows: returns an item's windows, as `split_windows` does; called in one of `workers` threads. The outcome has
        one result for each window.
        """
        budget = default_batch_seconds(self.device) if batch_seconds is None else batch_seconds
        return BatchScheduler(
            items,
            windows,
            self.encode_windows,
            size=lambda window: len(window) / SAMPLE_RATE,
            max_batch=budget,
            workers=workers,
            max_buffered=max(4 * budget, 2 * WINDOW_SECONDS),
            memory_advice=BATCH_ADVICE,
        )

    @torch.inference_mode()
    def encode_windows(self, windows: Sequence[FloatArray]) -> list[EncodedWindow]:
        """Run the networks on a batch of windows.

        windows: each (samples,) float32 at 16 kHz, from 80 ms to just over 100 s, as `split_windows` returns them.
        """
        self._trim()
        samples = [len(window) for window in windows]
        on_device = torch.split(to_device(np.concatenate(windows), self.device), samples)
        # A remainder of under 80 ms after 100 s has F0 frames, but no phonetic or style unit.
        waveforms = [waveform[:WINDOW_SAMPLES] for waveform in on_device]
        features = self.hubert(waveforms)
        frames = [len(clip) for clip in features]
        classes = self.quantizer(torch.cat(features).float())
        if self.prosody is None:
            check_finite(features)
            return [EncodedWindow(*parts) for parts in zip(samples, _split(classes, frames), strict=True)]
        style = self.prosody.style.logits(waveforms)
        seconds = [len(logits) for logits in style]
        tracker = self.prosody.tracker
        f0 = (
            tracker.track_tensors(on_device)
            if isinstance(tracker, FcpeTracker)
            else tracker.voiced_f0(windows)
        )
        # The first copy to the host comes after all work has been queued on the device.
        check_finite([*features, *style])
        styles = torch.cat(style).argmax(1)
        return [
            EncodedWindow(*parts)
            for parts in zip(samples, _split(classes, frames), f0, _split(styles, seconds), strict=True)
        ]

    @torch.inference_mode()
    def join_windows(self, windows: Sequence[EncodedWindow]) -> Units:
        """Return the units of a clip from the network outputs of all of its windows, in order."""
        hubert = fill_blanks(np.concatenate([window.classes for window in windows]), self.quantizer.blank)
        if self.prosody is None:
            return Units(hubert)
        samples = sum(window.samples for window in windows)
        track = self.prosody.tracker.join_windows(
            [window.f0 for window in windows if window.f0 is not None], samples
        )
        features = pitch_features(track, self.prosody.pitch.config.relative)
        pitch: IntArray = self.prosody.pitch(features[None])[0].numpy()
        style = np.concatenate([window.style for window in windows if window.style is not None])
        return Units(hubert, pitch, style)

    def check_waveform(self, waveform: Waveform) -> FloatArray:
        """Return the samples of a waveform that can be encoded. Raises AudioError as `encode` does."""
        return check_samples(waveform, self.rate)


def _load_prosody(
    checkpoint: Checkpoint, f0: F0Method, device: torch.device, dtype: torch.dtype
) -> ProsodyEncoders:
    style = StyleEncoder.load(checkpoint.style)
    check_hop(checkpoint.style, style.config.encoder.hop, FRAMES_PER_UNIT)
    # The VQ-VAE stays on the CPU: it is small, and F0 is joined and interpolated there.
    pitch = PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)
    return ProsodyEncoders(load_tracker(f0, device), pitch, style.to(device, dtype))


def _split(units: Tensor, counts: Sequence[int]) -> list[IntArray]:
    """units: (sum of counts,) on any device. Returns one array for each count."""
    return np.split(units.cpu().numpy(), np.cumsum(counts)[:-1])
