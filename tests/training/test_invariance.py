import json
from pathlib import Path

import torch

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.quantizer import KMeansQuantizer, load_quantizer
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.training.data import load_recordings
from spiritlm_cli.training.invariance import clip_units, measure_invariance
from spiritlm_cli.training.options import PERTURBATIONS


def test_measure_invariance_is_0_for_units_that_ignore_the_sound(
    corpus: Path, trained: Path, tmp_path: Path
) -> None:
    hubert = Hubert.load(Checkpoint(trained, "").hubert, 2)
    constant = KMeansQuantizer(torch.tensor([[0.0] * 32, [1e6] * 32]))
    recordings = load_recordings(corpus / "clips.jsonl", tmp_path)[:1]
    features = hubert([torch.from_numpy(recordings[0].waveform.samples)])[0]
    report = measure_invariance(
        hubert, {"constant": constant, "frames": KMeansQuantizer(features)}, recordings
    )
    assert report.rates["constant"] == dict.fromkeys(PERTURBATIONS, 0.0)
    assert report.rates["frames"]["stretch"] > 0.1
    assert json.loads(json.dumps(report.to_json()))["clips"] == 1
    assert len(report.table().rows) == 4


def test_clip_units_are_those_of_the_tokenizer(corpus: Path, trained: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint(trained, "")
    hubert, quantizer = Hubert.load(checkpoint.hubert, 2), load_quantizer(checkpoint.quantizer)
    waveform = load_recordings(corpus / "clips.jsonl", tmp_path)[0].waveform
    expected = SpeechTokenizer.load(str(trained), expressive=False, device="cpu").encode(waveform).hubert
    assert clip_units(hubert, quantizer, waveform.samples).tolist() == expected.tolist()
