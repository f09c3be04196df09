from pathlib import Path

import numpy as np

from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.profiling.clips import RECORDING, read_samples
from spiritlm_cli.profiling.stages import tokenizer_stages
from spiritlm_cli.speech.tokenizer import SpeechTokenizer


def test_stages_give_the_tokenizer_s_units(release_tree: Path) -> None:
    tokenizer = SpeechTokenizer.load(str(release_tree), device="cpu")
    clips = np.split(read_samples(RECORDING, 9), [30_000, 100_000])
    stages = tokenizer_stages(tokenizer, batch_seconds=5)
    results = {name: stages[name](clips) for name in ("hubert", "f0", "style")}
    results["pitch"] = stages["pitch"](results["f0"])
    for index, units in enumerate(tokenizer.encode_batch([Waveform(clip, 16000) for clip in clips])):
        for name in ("hubert", "pitch", "style"):
            assert results[name][index].tolist() == getattr(units, name).tolist()
