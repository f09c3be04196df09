"""The tokenizer's stages, each by itself, to be measured."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from spiritlm_cli.batching import BatchScheduler
from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.nn.device import to_device
from spiritlm_cli.nn.memory import default_batch_seconds
from spiritlm_cli.speech.pitch import pitch_features
from spiritlm_cli.speech.quantizer import fill_blanks
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.speech.windows import SAMPLE_RATE

# What is done to some clips together; gives a result for each.
Stage = Callable[[Sequence[Any]], list[Any]]


def tokenizer_stages(tokenizer: SpeechTokenizer, batch_seconds: float | None = None) -> dict[str, Stage]:
    """The tokenizer's stages, each by itself, on batches as `encode_batch` makes them.

    They take samples, (samples,) at 16 kHz each; `pitch` takes what `f0` gives. Without prosody there is one alone.
    """
    prosody, device = tokenizer.prosody, tokenizer.device

    @torch.inference_mode()
    def hubert(waveforms: Sequence[FloatArray]) -> list[Any]:
        features = tokenizer.hubert([to_device(waveform, device) for waveform in waveforms])
        classes = tokenizer.quantizer(torch.cat(features).float()).cpu().numpy()
        clips = np.split(classes, np.cumsum([len(clip) for clip in features])[:-1])
        return [fill_blanks(clip, tokenizer.quantizer.blank) for clip in clips]

    def packed(work: Callable[[Sequence[FloatArray]], list[Any]]) -> Stage:
        budget = default_batch_seconds(device) if batch_seconds is None else batch_seconds
        pack = partial(
            BatchScheduler, split=lambda clip: [clip], compute=work, size=lambda clip: len(clip) / SAMPLE_RATE
        )
        return lambda clips: [one for _, results in pack(clips, max_batch=budget) for one in results]

    if prosody is None:
        return {"hubert": packed(hubert)}

    @torch.inference_mode()
    def f0(waveforms: Sequence[FloatArray]) -> list[Any]:
        heard = zip(prosody.tracker.voiced_f0(waveforms), waveforms, strict=True)
        tracks = [prosody.tracker.join_windows([f0], len(waveform)) for f0, waveform in heard]
        return [pitch_features(track, prosody.pitch.config.relative) for track in tracks]

    @torch.inference_mode()
    def pitch(features: Sequence[Any]) -> list[Any]:
        return [prosody.pitch(clip[None])[0] for clip in features]

    @torch.inference_mode()
    def style(waveforms: Sequence[FloatArray]) -> list[Any]:
        return [units.cpu() for units in prosody.style([to_device(w, device) for w in waveforms])]

    return {"hubert": packed(hubert), "f0": packed(f0), "pitch": pitch, "style": packed(style)}
