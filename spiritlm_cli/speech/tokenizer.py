"""Sound to units: HuBERT, pitch and style together."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spiritlm_cli.audio.clip import FloatArray, Waveform
from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import AudioError, CheckpointError
from spiritlm_cli.speech.device import find_device
from spiritlm_cli.speech.f0 import F0Tracker, Method, load_tracker
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.pitch import PitchVqVae, pitch_features
from spiritlm_cli.speech.quantizer import KMeansQuantizer, LinearQuantizer, load_quantizer, quantized_layer
from spiritlm_cli.speech.style import StyleEncoder
from spiritlm_cli.tokens.units import IntArray, Units

# Longer sounds are encoded in pieces, each by itself, as the release does.
PIECE_SECONDS = 100
# A last piece that is shorter is left out, and a sound that is shorter has no units.
SHORTEST_SECONDS = 0.08


@dataclass(frozen=True, eq=False)
class ProsodyEncoders:
    """What gives pitch and style units."""

    tracker: F0Tracker
    pitch: PitchVqVae
    style: StyleEncoder


class SpeechTokenizer:
    """Waveform to units: phonetic ones alone (base), or with pitch and style (expressive)."""

    def __init__(
        self,
        hubert: Hubert,
        quantizer: LinearQuantizer | KMeansQuantizer,
        prosody: ProsodyEncoders | None,
        device: torch.device,
    ) -> None:
        self.hubert = hubert.to(device)
        self.quantizer = quantizer.to(device)
        self.prosody = prosody
        self.device = device
        self.rate = hubert.task.sample_rate

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        expressive: bool = True,
        f0: Method = "fcpe",
        device: str = "auto",
    ) -> "SpeechTokenizer":
        """The tokenizer of a checkpoint: "nano", a folder, or a Hugging Face repository.

        expressive: whether to give pitch and style units too; f0: how pitch is tracked.
        Raises CheckpointError.
        """
        checkpoint, place = find_checkpoint(model), find_device(device)
        path = checkpoint.quantizer
        hubert = Hubert.load(checkpoint.hubert, quantized_layer(path))
        quantizer = load_quantizer(path)
        if quantizer.dim != (dim := hubert.config.encoder_embed_dim):
            raise CheckpointError(
                f"{path}: takes features of width {quantizer.dim}, but those of {checkpoint.hubert} are {dim} wide"
            )
        prosody = _load_prosody(checkpoint, f0, place) if expressive else None
        return cls(hubert, quantizer, prosody, place)

    @torch.inference_mode()
    def encode(self, waveform: Waveform) -> Units:
        """The units of a clip of any length from 80 ms.

        waveform: at the tokenizer's rate, 16 kHz. Sounds over 100 s are encoded in pieces of 100 s.
        Raises AudioError where it is too short, has another rate, or holds samples that are no numbers.
        """
        samples = self._checked(waveform)
        pieces = [
            piece[None]
            for piece in torch.split(torch.tensor(samples, device=self.device), PIECE_SECONDS * self.rate)
            if len(piece) >= SHORTEST_SECONDS * self.rate
        ]
        features = torch.cat([self.hubert(piece)[0] for piece in pieces])
        hubert = _array(self.quantizer(features))
        if self.prosody is None:
            return Units(hubert)
        f0 = pitch_features(self.prosody.tracker(samples), self.prosody.pitch.config.relative)
        pitch = self.prosody.pitch(f0[None].to(self.device))[0]
        style = torch.cat([self.prosody.style(piece)[0] for piece in pieces])
        return Units(hubert, _array(pitch), _array(style))

    def _checked(self, waveform: Waveform) -> FloatArray:
        if waveform.rate != self.rate:
            raise AudioError(f"sound at {waveform.rate} Hz; the tokenizer takes {self.rate} Hz")
        if waveform.seconds < SHORTEST_SECONDS:
            raise AudioError(
                f"too short: {int(1000 * waveform.seconds)} ms of sound; units need at least "
                f"{1000 * SHORTEST_SECONDS:.0f} ms"
            )
        if not np.isfinite(waveform.samples).all():
            raise AudioError("not sound: there are samples that are infinite or not a number")
        return waveform.samples


def _load_prosody(checkpoint: Checkpoint, f0: Method, device: torch.device) -> ProsodyEncoders:
    pitch = PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)
    return ProsodyEncoders(
        load_tracker(f0, device), pitch.to(device), StyleEncoder.load(checkpoint.style).to(device)
    )


def _array(units: Tensor) -> IntArray:
    array: IntArray = units.cpu().numpy()
    return array
