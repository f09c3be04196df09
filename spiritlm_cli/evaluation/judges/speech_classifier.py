"""Classifiers of speech, such as of emotion: folders of `AutoModelForAudioClassification` that take a waveform."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from spiritlm_cli.alignment.ctc_loading import load_extractor, load_network
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.classification import Classification
from spiritlm_cli.evaluation.judges.folders import find_folder, read_labels
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.nn.device import find_device


class SpeechClassifier:
    """Assigns probabilities to the labels of a waveform. Each is computed alone, at the model's sampling rate.

    labels: in the order of the outputs.
    """

    def __init__(self, network: Any, extractor: Any, labels: tuple[str, ...], independent: bool) -> None:
        """network, extractor: of transformers. independent: see `Classification.of`."""
        self._network, self._extractor, self._independent = network, extractor, independent
        self.labels = labels
        kernels, strides = network.config.conv_kernel, network.config.conv_stride
        self._min_samples = 1 + sum(
            (kernel - 1) * prod(strides[:layer]) for layer, kernel in enumerate(kernels)
        )

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "SpeechClassifier":
        """Load a Hugging Face folder of the wav2vec 2.0 family: config.json, weights, preprocessor_config.json.

        No code in it is run. Raises CheckpointError, and SpiritLMError if the device can't be used.
        """
        path = find_folder(folder, "speech classifier")
        labels = read_labels(path / "config.json")
        network = load_network(path, labels).to(find_device(device))
        independent = read_json(path / "config.json").get("problem_type") == "multi_label_classification"
        classifier = cls(network, load_extractor(path), labels, independent)
        try:
            classifier.classify(Waveform(np.zeros(16000, dtype=np.float32), 16000))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:  # sizes that don't fit each other
            raise CheckpointError(f"{folder}: its network can't be computed ({error})") from error
        return classifier

    @torch.inference_mode()
    def classify(self, waveform: Waveform) -> Classification:
        """Classify a waveform of any sampling rate. One that is shorter than a frame is padded with silence."""
        samples = waveform.samples
        if waveform.rate != self._extractor.sampling_rate:
            samples = soxr.resample(samples, waveform.rate, self._extractor.sampling_rate)
        samples = np.pad(samples, (0, max(0, self._min_samples - len(samples))))
        inputs = self._extractor(samples, sampling_rate=self._extractor.sampling_rate, return_tensors="pt")
        logits = self._network(inputs.input_values.to(self._network.device)).logits[0]
        return Classification.of(logits, self.labels, self._independent)
