"""The tokenizer's stages as separate functions, so that each can be measured."""

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

# Maps clips to one result each.
Stage = Callable[[Sequence[Any]], list[Any]]


def tokenizer_stages(tokenizer: SpeechTokenizer, batch_seconds: float | None = None) -> dict[str, Stage]:
    """Return the tokenizer's stages by name, computing batches as `SpeechTokenizer.encode_batch` does.

    hubert (with its quantizer), f0 and style map (samples,) float32 at 16 kHz to units or F0 features; pitch maps the
    results of f0 to units. A tokenizer without prosody has hubert only. batch_seconds: None for the device's default.
    """
    prosody, device = tokenizer.prosody, tokenizer.device

    @torch.inference_mode()
    def hubert(waveforms: Sequence[FloatArray]) -> list[Any]:
        features = tokenizer.hubert([to_device(waveform, device) for waveform in waveforms])
        classes = tokenizer.quantizer(torch.cat(features).float()).cpu().numpy()
        clips = np.split(classes, np.cumsum([len(clip) for clip in features])[:-1])
        return [fill_blanks(clip, tokenizer.quantizer.blank) for clip in clips]

    def batched(compute: Callable[[Sequence[FloatArray]], list[Any]]) -> Stage:
        budget = default_batch_seconds(device) if batch_seconds is None else batch_seconds
        pack = partial(
            BatchScheduler,
            split=lambda clip: [clip],
            compute=compute,
            size=lambda clip: len(clip) / SAMPLE_RATE,
        )
        return lambda clips: [result for _, results in pack(clips, max_batch=budget) for result in results]

    if prosody is None:
        return {"hubert": batched(hubert)}

    @torch.inference_mode()
    def f0(waveforms: Sequence[FloatArray]) -> list[Any]:
        voiced = zip(prosody.tracker.voiced_f0(waveforms), waveforms, strict=True)
        tracks = [prosody.tracker.join_windows([f0], len(waveform)) for f0, waveform in voiced]
        return [pitch_features(track, prosody.pitch.config.relative) for track in tracks]

    @torch.inference_mode()
    def pitch(features: Sequence[Any]) -> list[Any]:
        return [prosody.pitch(clip[None])[0] for clip in features]

    @torch.inference_mode()
    def style(waveforms: Sequence[FloatArray]) -> list[Any]:
        return [units.cpu() for units in prosody.style([to_device(w, device) for w in waveforms])]

    return {"hubert": batched(hubert), "f0": batched(f0), "pitch": pitch, "style": batched(style)}
