"""The vocoder: units to waveform."""

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
from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.tensors import build_on_meta, load_into, read_tensors
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.nn.device import check_finite, find_device, find_dtype, to_device
from spiritlm_cli.nn.layers import compile_modules, prepack_weights
from spiritlm_cli.nn.memory import BATCH_ADVICE, Trimmer, default_batch_seconds
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.vocoder.config import HifiGanConfig
from spiritlm_cli.vocoder.cpu_inference import optimize_for_cpu, synthesize_on_cpu
from spiritlm_cli.vocoder.durations import DurationPredictor
from spiritlm_cli.vocoder.hifigan import HifiGan
from spiritlm_cli.vocoder.voices import Voices
from spiritlm_cli.vocoder.windows import Durations, Window, WindowBuilder

T = TypeVar("T")

# Seconds of audio in one CPU batch, for each thread and in all. Threads wait for each other between the stages of the
# network; large batches make that wait short.
THREAD_BATCH_SECONDS = 40.0
MAX_BATCH_SECONDS = 1200.0

# Frames of 40 ms in one window of a long sequence: 20 s.
WINDOW_FRAMES = 500


class Vocoder:
    """Synthesizes waveforms from units with a checkpoint's HiFi-GAN.

    voices: the speakers and styles it has. rate: samples per second of the waveforms.
    """

    def __init__(
        self,
        network: HifiGan,
        voices: Voices,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """network: moved to `device` (None: the CPU) and `dtype`."""
        self.device = device or torch.device("cpu")
        self.config = network.config
        self.duration_predictor = DurationPredictor(
            copy.deepcopy(network.dict), copy.deepcopy(network.dur_predictor), self.config.frame_seconds
        )
        self.network = network.to(self.device, dtype).eval().requires_grad_(False)
        self._trim = Trimmer()
        # Whether each window is computed by itself, in a thread of its own.
        self._multithreaded = self.device.type == "cpu"
        self.voices = voices
        self.rate = self.config.sampling_rate

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        expressive: bool = True,
        device: str = "auto",
        dtype: str = "float32",
        compile: bool = False,  # noqa: A002
    ) -> "Vocoder":
        """Load the vocoder of a checkpoint.

        model: see `find_checkpoint`.
        expressive: the vocoder for phonetic, pitch and style units; otherwise the one for phonetic units.
        dtype: of the network: "float32", "bfloat16" or "float16". compile: run torch.compile on the network.
        Raises CheckpointError if the checkpoint or one of its files can't be used, SpiritLMError for the device.
        """
        checkpoint = find_checkpoint(model)
        config, generator = checkpoint.vocoder_config(expressive), checkpoint.generator(expressive)
        vocoder = cls.from_files(config, generator, device, dtype)
        if compile:
            compile_modules(vocoder.network)
            vocoder._multithreaded = False
        elif vocoder.device.type == "cpu":
            optimize_for_cpu(vocoder.network)
            prepack_weights(vocoder.network)
        return vocoder

    @classmethod
    def from_files(
        cls, config_path: Path, generator: Path, device: str = "auto", dtype: str = "float32"
    ) -> "Vocoder":
        """Load the weights in the file `generator`; `speakers.txt` and `styles.txt` are beside the configuration.

        Raises CheckpointError that names the file at fault.
        """
        target = find_device(device)
        config = HifiGanConfig.read(config_path)
        network = build_on_meta(lambda: HifiGan(config), config_path)
        load_into(network, fold_weight_norm(read_tensors(generator)))
        if network.context > WINDOW_FRAMES:
            raise CheckpointError(
                f"{config_path}: each frame depends on {network.context} to either side, more than "
                f"{WINDOW_FRAMES}"
            )
        return cls(network, Voices.read(config_path.parent, config), target, find_dtype(dtype, target))

    def decode(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        prompt: Sequence | SpeechSpan | None = None,
    ) -> Waveform:
        """Synthesize all speech of a sequence as one waveform. For arguments and errors see `split_windows`."""
        windows = partial(
            self.split_windows, speaker=speaker, style=style, durations=durations, prompt=prompt
        )
        return self._join(self.synthesize_stream([speech], windows))[0]

    def decode_batch(
        self,
        speech: Iterable[Sequence | SpeechSpan],
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        batch_seconds: float | None = None,
    ) -> list[Waveform]:
        """Synthesize several sequences, each as `decode` does.

        batch_seconds: seconds of audio that are computed together (None: chosen for the device).
        """
        windows = partial(self.split_windows, speaker=speaker, style=style, durations=durations)
        return self._join(self.synthesize_stream(speech, windows, batch_seconds))

    def _join(self, outcomes: Iterable[tuple[T, Iterable[Waveform]]]) -> list[Waveform]:
        return [
            Waveform(np.concatenate([part.samples for part in parts]), self.rate) for _, parts in outcomes
        ]

    def decode_stream(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        window: int = WINDOW_FRAMES,
        prompt: Sequence | SpeechSpan | None = None,
    ) -> Iterator[Waveform]:
        """Synthesize a sequence `window` frames of 40 ms at a time. The parts joined are what `decode` returns."""
        for part in self.split_windows(speech, speaker, style, durations, window, prompt):
            yield self.synthesize([part])[0]

    def decode_incremental(
        self,
        pieces: Iterable[Sequence | SpeechSpan],
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        prompt: Sequence | SpeechSpan | None = None,
    ) -> Iterator[Waveform]:
        """Synthesize a sequence while it is being generated. The parts joined are what `decode` returns for the whole.

        pieces: consecutive parts of the sequence. After each piece, all audio that later pieces can't change is
        yielded, once it is at least half a second, in parts of up to 20 s.
        durations: "auto" is decided as soon as the pieces tell whether repeats were kept: after 20 units without any.
        For other arguments and errors see `split_windows`; an error is raised when its cause is read.
        """
        builder = self._window_builder(speaker, style, durations, WINDOW_FRAMES, prompt)
        for piece in pieces:
            builder.add(piece)
            for window in builder.ready():
                yield self.synthesize([window])[0]
        for window in builder.flush():
            yield self.synthesize([window])[0]

    def synthesize_stream(
        self,
        items: Iterable[T],
        windows: Callable[[T], Iterable[Window]],
        batch_seconds: float | None = None,
    ) -> BatchScheduler[T, Window, Waveform]:
        """Synthesize the windows of items in batches. Yields (item, outcome) in order; see `BatchScheduler`.

        windows: returns an item's windows, as `split_windows` does. The outcome has one result for each window.
        """
        if batch_seconds is None:
            cpu_seconds = min(THREAD_BATCH_SECONDS * torch.get_num_threads(), MAX_BATCH_SECONDS)
            batch_seconds = cpu_seconds if self._multithreaded else default_batch_seconds(self.device)
        frame = self.config.frame_seconds
        return BatchScheduler(
            items,
            windows,
            self.synthesize,
            size=lambda window: window.streams.shape[1] * frame,
            max_batch=batch_seconds,
            workers=0,
            max_buffered=max(4 * batch_seconds, 4 * WINDOW_FRAMES * frame),
            memory_advice=BATCH_ADVICE,
        )

    def split_windows(
        self,
        speech: Sequence | SpeechSpan,
        speaker: int | str | None = None,
        style: int | str | None = None,
        durations: Durations = "auto",
        window: int = WINDOW_FRAMES,
        prompt: Sequence | SpeechSpan | None = None,
    ) -> list[Window]:
        """Split the speech of a sequence into windows for `synthesize`.

        speaker: index or name (None: the default). style: of a base vocoder index or name; of an expressive vocoder
        the style unit to use throughout, in place of the sequence's own (None: the default, or the sequence's own).
        durations: "keep" makes each phonetic unit one frame of 40 ms, "predict" uses the duration predictor, "auto"
        keeps if the sequence has repeats and predicts otherwise.
        window: frames of audio from one window.
        prompt: what the sequence continues. If the prompt ends in speech, its last span gives pitch, style and
        acoustic context to the sequence, and its own audio is left out: the result follows the prompt's without a gap.
        Raises TokenError if there is no speech, a unit is not one of this vocoder's, or pitch units are missing;
        SpiritLMError if there is no such speaker or style.
        """
        builder = self._window_builder(speaker, style, durations, window, prompt)
        builder.add(speech)
        return list(builder.flush())

    def _window_builder(
        self,
        speaker: int | str | None,
        style: int | str | None,
        durations: Durations,
        window: int,
        prompt: Sequence | SpeechSpan | None,
    ) -> WindowBuilder:
        voice = self.voices.select(speaker, style)
        return WindowBuilder(
            self.config, self.duration_predictor, self.network.context, voice, durations, window, prompt
        )

    @torch.inference_mode()
    def synthesize(self, windows: TypingSequence[Window]) -> list[Waveform]:
        """Synthesize a batch of windows."""
        self._trim()
        if self._multithreaded:
            inputs = [self.network.embed(*self._network_inputs([window])) for window in windows]
            rows = [row[0].float().numpy() for row in synthesize_on_cpu(self.network, inputs)]
        elif self.device.type == "cpu":
            rows = [self._run_padded([window])[0] for window in windows]
        else:
            rows = list(self._run_padded(windows))
        check_finite(map(torch.from_numpy, rows))
        hop = self.config.code_hop_size
        return [
            Waveform(row[window.skip_frames * hop :][: window.keep_frames * hop], self.rate)
            for row, window in zip(rows, windows, strict=True)
        ]

    def _run_padded(self, windows: TypingSequence[Window]) -> NDArray[np.float32]:
        """Run the network on windows padded to the longest. Returns (batch, samples)."""
        lengths = [window.streams.shape[1] for window in windows]
        valid = to_device(np.array(lengths), self.device) if len(set(lengths)) > 1 else None
        samples: NDArray[np.float32] = (
            self.network(*self._network_inputs(windows), lengths=valid).float().cpu().numpy()
        )
        return samples

    def _network_inputs(
        self, windows: TypingSequence[Window]
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Return hubert, speaker, pitch and style as `HifiGan.forward` takes them, (batch, frames) or (batch,)."""
        lengths = [window.streams.shape[1] for window in windows]
        padded = np.zeros((len(windows[0].streams), len(windows), max(lengths)), dtype=np.int64)
        for row, window in enumerate(windows):
            padded[:, row, : lengths[row]] = window.streams
        ids = to_device(padded, self.device)
        indices = np.array([[w.voice.speaker for w in windows], [w.voice.style for w in windows]])
        speaker, style = to_device(indices, self.device)
        return (ids[0], speaker, ids[1], ids[2]) if self.config.expressive else (ids[0], speaker, None, style)
