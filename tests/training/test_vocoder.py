import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training_fixtures import assert_same_weights, interrupted, vocoder_options

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training import vocoder
from spiritlm_cli.training.data import HOP, Recording
from spiritlm_cli.training.vocoder import Example, read_examples
from spiritlm_cli.vocoder.vocoder import Vocoder

WEIGHTS = "speech_tokenizer/hifigan_spiritlm_expressive_w2v2/generator.safetensors"


def test_example_has_units_with_and_without_repeats() -> None:
    recording = Recording(Clip("a", "-"), np.zeros(6 * HOP, dtype=np.int16))
    example = Example(recording, Units(np.array([7, 7, 7, 8, 8, 9]), np.array([1, 2, 3]), np.array([5])), 0)
    assert example.units.tolist() == [7, 8, 9]
    assert example.durations.tolist() == [3, 2, 1]
    assert example.frames.tolist() == [[7, 7, 7, 8, 8, 9], [1, 1, 2, 2, 3, 3], [5] * 6]
    # of a sequence without repeats it isn't known within which run the pitch changes
    assert example.runs[0].tolist() == example.frames[0].tolist()
    for start, stop in ((0, 3), (3, 5), (5, 6)):
        assert len(set(example.runs[1, start:stop].tolist())) == 1
    assert example.length == 6


def test_example_needs_pitch_and_style() -> None:
    recording = Recording(Clip("a", "-"), np.zeros(2 * HOP, dtype=np.int16))
    with pytest.raises(ManifestError, match="pitch or style is missing"):
        Example(recording, Units(np.array([7, 8])), 0)


def test_read_examples_orders_and_selects_speakers(corpus: Path, tmp_path: Path) -> None:
    examples, speakers = read_examples(vocoder_options(corpus, tmp_path))
    assert speakers == ["x", "y"]
    assert [example.speaker for example in examples] == [0, 1, 0, 1]
    examples, speakers = read_examples(vocoder_options(corpus, tmp_path, speakers="y"))
    assert speakers == ["y"]
    assert len(examples) == 2


def test_read_examples_says_what_is_left_out(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read_examples(vocoder_options(corpus, tmp_path, speakers="y,z"))
    message = capsys.readouterr().err
    assert "clips.jsonl: 2 of 4 clips have no units in" in message
    assert "clips.jsonl: no clip to train on has the speaker z" in message


def test_read_examples_raises_where_nothing_is_left(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"clips\.jsonl: no clip of z has over 14 units"):
        read_examples(vocoder_options(corpus, tmp_path, speakers="z"))
    with pytest.raises(ManifestError, match=r"clips\.jsonl: no clip of x, y has over 60 units"):
        read_examples(vocoder_options(corpus, tmp_path, frames=60))
    units = tmp_path / "units.jsonl"
    units.touch()
    with pytest.raises(ManifestError, match=r"no clip with units in .*units\.jsonl has a speaker"):
        read_examples(vocoder_options(corpus, tmp_path, units=units))


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


def test_train_a_base_vocoder(corpus: Path, trained: Path, tmp_path: Path) -> None:
    """Phonetic units and speakers alone, beside the expressive one; `decode` loads it."""
    options = vocoder_options(corpus, tmp_path, kind="base", steps=1, adversarial_from=1, frames=4)
    vocoder.train(options)
    model = Vocoder.load(str(tmp_path), expressive=False, device="cpu")
    speech = model.decode(merge_streams(Units(np.arange(10)), keep_repeats=True), durations="keep", speaker=1)
    assert len(speech.samples) == 10 * HOP
    vocoder.train(vocoder_options(corpus, tmp_path, steps=1, adversarial_from=1, frames=4))
    assert {path.name for path in (tmp_path / "speech_tokenizer").iterdir()} == {
        "hifigan_spiritlm_base", "hifigan_spiritlm_expressive_w2v2",
    }  # fmt: skip
