"""A CTC model of the wav2vec 2.0 family: the log probability of each label in each frame of a waveform."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from spiritlm_cli.alignment.ctc_labels import Vocabulary
from spiritlm_cli.alignment.ctc_loading import load_extractor, load_network, read_vocabulary
from spiritlm_cli.errors import AlignmentError, CheckpointError
from spiritlm_cli.manifests.clip import FloatArray, Waveform
from spiritlm_cli.nn.device import find_device

# Audio is encoded in windows with context on both sides, which is discarded.
WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 2.0
_MAX_FRAME_SECONDS = 1.0


class CtcModel:
    """A network that was trained with CTC to recognize letters.

    vocabulary: its letters and their labels. frame_seconds: the distance between frames.
    """

    def __init__(self, network: Any, extractor: Any, vocabulary: Vocabulary) -> None:
        """network: a transformers CTC model; extractor: its feature extractor."""
        self._network, self._extractor, self.vocabulary = network, extractor, vocabulary
        self._rate: int = extractor.sampling_rate
        kernels, strides = network.config.conv_kernel, network.config.conv_stride
        # In samples: the distance between frames, and the input of one frame.
        self._stride = prod(strides)
        self._receptive_field = 1 + sum(
            (kernel - 1) * prod(strides[:layer]) for layer, kernel in enumerate(kernels)
        )
        self.frame_seconds = self._stride / self._rate

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "CtcModel":
        """Load a Hugging Face folder of Wav2Vec2ForCTC, HubertForCTC, WavLMForCTC or a similar model.

        The folder has config.json, the weights, vocab.json and preprocessor_config.json. No code in it is run.
        Raises CheckpointError for any other folder, SpiritLMError if the device can't be used.
        """
        torch_device, path = find_device(device), Path(folder)
        if not (path / "config.json").exists():
            raise CheckpointError(f"{folder}: no config.json; expected a CTC model's Hugging Face folder")
        network = load_network(path)
        vocabulary = read_vocabulary(path, network.config.pad_token_id)
        model = cls(network.to(torch_device), load_extractor(path), vocabulary)
        model._check(folder)
        return model

    def log_probs(self, waveform: Waveform) -> FloatArray:
        """Log probability of each label in each frame, (frames, labels) float32. Raises AlignmentError for no frame."""
        samples = waveform.samples
        if waveform.rate != self._rate:
            samples = soxr.resample(samples, waveform.rate, self._rate)
        frames = (len(samples) - self._receptive_field) // self._stride + 1
        if frames < 1:
            raise AlignmentError(f"{waveform.seconds:.3f} s of audio is too short for a CTC model")
        values = self._extractor(samples, sampling_rate=self._rate, return_tensors="pt").input_values
        window, context = (
            int(seconds * self._rate) // self._stride for seconds in (WINDOW_SECONDS, CONTEXT_SECONDS)
        )
        windows = []
        for first in range(0, frames, window):
            begin, end = max(first - context, 0), min(first + window + context, frames)
            inputs = values[:, begin * self._stride : (end - 1) * self._stride + self._receptive_field]
            windows.append(self._forward(inputs)[first - begin :][:window])
        return np.concatenate(windows)

    @torch.inference_mode()
    def _forward(self, values: torch.Tensor) -> FloatArray:
        """values: (1, samples). Returns log probabilities, (frames, labels)."""
        logits = self._network(values.to(self._network.device)).logits[0]
        log_probs: FloatArray = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
        return log_probs

    def _check(self, folder: str | Path) -> None:
        """Raise CheckpointError if the frames or labels of the network differ from its configuration."""
        if self._receptive_field + self._stride > _MAX_FRAME_SECONDS * self._rate:
            raise CheckpointError(f"{folder}: one frame takes {self._receptive_field} samples")
        try:
            log_probs = self._forward(torch.zeros(1, 9 * self._stride + self._receptive_field))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:  # sizes that don't fit each other
            raise CheckpointError(f"{folder}: its network can't be computed ({error})") from error
        if len(log_probs) != 10:
            raise CheckpointError(f"{folder}: the network's frames are not {self._stride} samples apart")
        if not np.isfinite(log_probs).all():
            raise CheckpointError(f"{folder}: the network's output is infinite or not a number")
        labels = [self.vocabulary.blank, self.vocabulary.delimiter or 0, *self.vocabulary.letters.values()]
        if max(labels) >= log_probs.shape[1]:
            raise CheckpointError(
                f"{folder}: vocab.json has more labels than the network's {log_probs.shape[1]}"
            )
