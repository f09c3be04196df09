import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training_fixtures import assert_same_weights, interrupted, vocoder_options

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training import vocoder
from spiritlm_cli.training.data import HOP
from spiritlm_cli.vocoder.vocoder import Vocoder

WEIGHTS = "speech_tokenizer/hifigan_spiritlm_expressive_w2v2/generator.safetensors"


def test_train_refuses_a_unit_without_an_embedding(corpus: Path, tmp_path: Path) -> None:
    entries = [json.loads(line) for line in (corpus / "units.jsonl").read_text().splitlines()]
    entries[0]["pitch"] = "64 " * 25
    units = tmp_path / "units.jsonl"
    units.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    with pytest.raises(ManifestError, match=r"units\.jsonl: has \[Pi64\]; the vocoder's last is 63"):
        vocoder.train(vocoder_options(corpus, tmp_path, units=units))


def test_train_resume_is_bit_identical(corpus: Path, tmp_path: Path) -> None:
    options = dict(steps=2, adversarial_from=2, frames=4, bf16=False)
    vocoder.train(vocoder_options(corpus, tmp_path / "whole", **options))
    with interrupted(1):
        vocoder.train(vocoder_options(corpus, tmp_path / "parts", save_every=1, **options))
    vocoder.train(vocoder_options(corpus, tmp_path / "parts", resume=True, **options))
    assert_same_weights(tmp_path / "whole" / WEIGHTS, tmp_path / "parts" / WEIGHTS)


def test_train_saves_the_discriminators_and_both_optimizers(trained: Path) -> None:
    parts = torch.load(trained / "training" / "vocoder.pt", weights_only=True)["parts"]
    assert parts.keys() == {"generator", "discriminators", "optimizer", "discriminator_optimizer"}
    # the fixture trains two steps, the second with discriminators
    steps = {
        name: {int(state["step"]) for state in parts[name]["state"].values()}
        for name in parts
        if "opt" in name
    }
    assert steps == {"optimizer": {2}, "discriminator_optimizer": {1}}


def test_train_continues_from_start_weights(corpus: Path, trained: Path, tmp_path: Path) -> None:
    start = trained / WEIGHTS
    vocoder.train(vocoder_options(corpus, tmp_path, steps=1, start=start, learning_rate=0.0))
    assert_same_weights(start, tmp_path / WEIGHTS, tolerance=1e-3)


def test_train_with_hubert_changes_the_gradient_by_its_weight(corpus: Path, tmp_path: Path) -> None:
    """The loss is reported, and the gradient of a small weight is nearly that without it."""
    options = dict(steps=1, adversarial_from=1, frames=4, bf16=False)
    vocoder.train(vocoder_options(corpus, tmp_path / "without", **options))
    hubert = find_checkpoint("nano").hubert
    for weight in (0.01, 25.0):
        output = tmp_path / str(weight)
        vocoder.train(vocoder_options(corpus, output, hubert=hubert, hubert_weight=weight, **options))
        [line] = (output / "training" / "vocoder.metrics.jsonl").read_text().splitlines()
        assert 0 < json.loads(line)["hubert"] < 2
    norms = [
        json.loads((tmp_path / name / "training" / "vocoder.metrics.jsonl").read_text())["gradient_norm"]
        for name in ("without", "0.01", "25.0")
    ]
    assert norms[1] == pytest.approx(norms[0], rel=0.01)
    assert norms[2] != pytest.approx(norms[0], rel=0.01)


def test_train_reads_hubert_before_the_audio(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="gone"):
        vocoder.train(vocoder_options(corpus, tmp_path, hubert=tmp_path / "gone"))
    assert not list(tmp_path.rglob("audio-*"))


def test_train_a_base_vocoder(corpus: Path, release_tree: Path, tmp_path: Path) -> None:
    """Phonetic units and speakers alone, in the layers of the release, beside the expressive one; `decode` loads it."""
    options = vocoder_options(
        corpus, tmp_path, kind="base", generator="hifigan", steps=1, adversarial_from=1, frames=4
    )
    vocoder.train(options)
    config, published = (
        json.loads(Checkpoint(folder, "").vocoder_config(expressive=False).read_text())
        for folder in (tmp_path, release_tree)
    )
    layers = [name for name in published if name.startswith(("resblock", "upsample"))]
    assert len(layers) == 6
    assert {name: config[name] for name in layers} == {name: published[name] for name in layers}
    model = Vocoder.load(str(tmp_path), expressive=False, device="cpu")
    speech = model.decode(merge_streams(Units(np.arange(10)), keep_repeats=True), durations="keep", speaker=1)
    assert len(speech.samples) == 10 * HOP
    vocoder.train(vocoder_options(corpus, tmp_path, steps=1, adversarial_from=1, frames=4))
    assert {path.name for path in (tmp_path / "speech_tokenizer").iterdir()} == {
        "hifigan_spiritlm_base", "hifigan_spiritlm_expressive_w2v2",
    }  # fmt: skip
