"""What torch.compile makes of the parts that are meant for it."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder


def test_compiled_parts_are_whole_graphs_and_answer_the_same(release_tree: Path, clips, monkeypatch) -> None:
    """An error where one is broken up or compiled too often. Captured only: what follows needs a C compiler."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager", fullgraph=True))
    model, waveforms = str(release_tree), [clips["short"], clips["medium"]]
    units = SpeechTokenizer.load(model, device="cpu").encode_batch(waveforms)
    compiled = SpeechTokenizer.load(model, device="cpu", compile=True).encode_batch(waveforms)
    for one, other in zip(units, compiled, strict=True):
        assert one.hubert.tolist() == other.hubert.tolist()
        assert one.style.tolist() == other.style.tolist()

    spans = [merge_streams(each) for each in units]
    vocoder = Vocoder.load(model, device="cpu", compile=True)
    sounds = Vocoder.load(model, device="cpu").decode_batch(spans)
    windows = [vocoder.split_windows(span)[0] for span in spans]
    with torch.inference_mode():
        # the way of a CPU, and all together, as on a GPU
        for made in (vocoder.decode_batch(spans), vocoder._run_padded(windows)):
            for sound, other in zip(sounds, made, strict=True):
                samples = getattr(other, "samples", other)[: len(sound.samples)]
                np.testing.assert_allclose(samples, sound.samples, atol=1e-5, rtol=0)
