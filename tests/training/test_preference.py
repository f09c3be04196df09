"""Direct preference optimization: its loss, what it does to a model, and its run folder."""

import json
import shutil
import sys
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from text_models import lines_options, text_model
from torch.nn import functional as F
from training_fixtures import assert_same_weights, in_two_processes, interrupted

from spiritlm_cli.errors import CheckpointError, ManifestError, MissingPackageError
from spiritlm_cli.jobs import merge
from spiritlm_cli.jobs.options.merge import MergeOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import ScoredIds, score_batch
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.preference_pairs import read_pairs

if sys.version_info < (3, 11):
    pytest.skip("trl needs Python 3.11", allow_module_level=True)

PAIRS = [
    {"prompt": "[TEXT]the cat[SPEECH]", "chosen": "[SPEECH][Hu3][Hu7]", "rejected": "[SPEECH][Hu9]"},
    {"prompt": "[SPEECH][Hu5]", "chosen": "[TEXT]sat", "rejected": "[SPEECH][Hu3][Hu5][TEXT]mat"},
    {"prompt": "[TEXT]a ", "chosen": "[TEXT]dog", "rejected": "[TEXT]cat", "complete": False},
]
WEIGHTS = "model.safetensors"


def model_with_units(folder: Path, kind: str, **changes: Any) -> Path:
    """Write a model that has units in its vocabulary."""
    train(lines_options(text_model(folder / "text", kind, **changes), folder / "base", steps=1))
    return folder / "base"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_with_units(tmp_path_factory.mktemp("llama"), "llama")


def pair_options(base: Path, output: Path, **changes: Any) -> LanguageModelOptions:
    """Options of a training in which each step has all pairs."""
    pairs = base.parent / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    options: dict[str, Any] = dict(
        base=str(base), dpo=(pairs,), output=output, device="cpu", bf16=False, tensorboard=False, context=32,
        steps=3, batch=1, accumulate=3, learning_rate=3e-3, schedule="constant", warmup=0,
    )  # fmt: skip
    return LanguageModelOptions(**(options | changes))


@pytest.fixture(scope="module")
def whole(base: Path) -> Path:
    """The folder of a training of three steps, with all that does not change it."""
    (prompts := base.parent / "prompts.txt").write_text("a\t[SPEECH][Hu5]\n")
    output = base.parent / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CI", raising=False)
        sent: list[object] = []
        patch.setattr("huggingface_hub.utils._telemetry._TELEMETRY_QUEUE.put", sent.append)
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", False)
        train(pair_options(base, output, sample_prompts=prompts, checkpointing=True))
    # nothing is reported to the Hub
    assert sent == []
    return output


def metrics(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "training/lm.metrics.jsonl").read_text().splitlines()]


def log_likelihoods(folder: Path, options: LanguageModelOptions) -> torch.Tensor:
    """Log-likelihoods of the chosen and the rejected continuations under a model, (pairs, 2)."""
    model = LanguageModel.load(str(folder), device="cpu")
    pairs = read_pairs(options.dpo, model.vocabulary, options.context)
    scored = [
        ScoredIds([*pair.prompt, *ids], len(pair.prompt))
        for pair in pairs
        for ids in (pair.chosen, pair.rejected)
    ]
    scores = [score.log_likelihood for score in score_batch(model.network, scored)]
    return torch.tensor(scores, dtype=torch.float64).view(-1, 2)


def check_formula(
    policy: Path, base: Path, options: LanguageModelOptions, measured: dict[str, float]
) -> None:
    """Compare what a step reports with the loss and the rewards of Rafailov et al. 2023."""
    rewards = options.beta * (log_likelihoods(policy, options) - log_likelihoods(base, options))
    margins = rewards[:, 0] - rewards[:, 1]
    expected = {
        "loss": -F.logsigmoid(margins).mean(),
        "reward_margin": margins.mean(),
        "reward_accuracy": (margins > 0).double().mean(),
        "reward_chosen": rewards[:, 0].mean(),
        "reward_rejected": rewards[:, 1].mean(),
    }
    assert measured == pytest.approx(
        {**measured, **{key: value.item() for key, value in expected.items()}}, abs=1e-5
    )
    # the model is another one than the reference
    assert rewards.abs().min() > 1e-3


def test_loss_and_rewards_are_those_of_the_formula(tmp_path: Path) -> None:
    start = model_with_units(tmp_path, "opt")
    options = pair_options(start, tmp_path / "out", beta=0.3, steps=2, batch=3, accumulate=1)
    train(options)
    shutil.copytree(options.output, tmp_path / "policy")
    train(replace(options, steps=3, resume=True))
    first, _, last = metrics(options.output)
    # before the first step the model is the reference
    assert first["loss"] == pytest.approx(log(2), abs=1e-6)
    check_formula(tmp_path / "policy", start, options, last)


def test_resume_is_byte_identical(base: Path, whole: Path, tmp_path: Path) -> None:
    options = pair_options(base, tmp_path / "out", save_every=2)
    with interrupted(2):
        train(options)
    shutil.copytree(options.output, tmp_path / "policy")
    train(replace(options, resume=True))
    assert_same_weights(whole / WEIGHTS, options.output / WEIGHTS)
    keys = ("step", "loss", "reward_margin", "pairs")
    resumed, uninterrupted = metrics(options.output), metrics(whole)
    assert [[one[key] for key in keys] for one in resumed] == [
        [one[key] for key in keys] for one in uninterrupted
    ]
    check_formula(tmp_path / "policy", base, options, resumed[-1])


def test_reference_of_an_adapter_is_the_model_without_it(base: Path, tmp_path: Path) -> None:
    options = pair_options(base, tmp_path / "out", lora=2, learning_rate=3e-2, steps=2, batch=3, accumulate=1)
    train(options)
    merge.merge(MergeOptions(adapter=options.output, output=tmp_path / "policy"))
    train(replace(options, steps=3, resume=True))
    check_formula(tmp_path / "policy", base, options, metrics(options.output)[-1])


def test_chosen_become_likelier_than_rejected(base: Path, tmp_path: Path) -> None:
    options = pair_options(base, tmp_path / "out", steps=6, batch=3, accumulate=1, bf16=True)
    train(options)
    first, *_, last = metrics(options.output)
    assert first["loss"] == pytest.approx(log(2), abs=1e-6)
    assert (first["reward_accuracy"], last["reward_accuracy"]) == (0.0, 1.0)
    assert last["reward_chosen"] > 0 > last["reward_rejected"]
    assert last["loss"] < first["loss"]
    change = log_likelihoods(options.output, options) - log_likelihoods(base, options)
    assert (change[:, 0] > change[:, 1]).all()


def test_output_is_a_folder_as_the_one_it_starts_from(base: Path, whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert names == {path.name for path in base.iterdir()}
    for name in names - {"training", WEIGHTS}:
        assert (whole / name).read_bytes() == (base / name).read_bytes()
    assert (whole / "training/samples/lm/3.txt").read_text().startswith("a\t[SPEECH][Hu5]")


def test_resume_needs_the_same_pairs(base: Path, whole: Path, tmp_path: Path) -> None:
    options = pair_options(base, whole)
    (other := tmp_path / "other.jsonl").write_text(json.dumps(PAIRS[0]) + "\n")
    with pytest.raises(CheckpointError, match="started with another --dpo"):
        train(replace(options, dpo=(other,), resume=True))
    with pytest.raises(CheckpointError, match=r"started with --beta 0\.1, not 0\.5"):
        train(replace(options, beta=0.5, resume=True))
    with pytest.raises(CheckpointError, match="had 3 pairs in a step, now it has 2"):
        train(replace(options, accumulate=2, resume=True))
    with pytest.raises(CheckpointError, match="there is already a lm in"):
        train(options)


def test_two_processes_equal_one_with_twice_the_batch(base: Path, tmp_path: Path) -> None:
    one, two = (pair_options(base, tmp_path / name, accumulate=1, steps=2) for name in ("one", "two"))
    train(replace(one, batch=2))
    first, second = in_two_processes(lambda: train(two), tmp_path)
    assert "lm: 3 pairs, 1.33 epochs" in first
    assert second == ""
    assert_same_weights(one.output / WEIGHTS, two.output / WEIGHTS, tolerance=1e-5)
    for ours, theirs in zip(metrics(one.output), metrics(two.output), strict=True):
        assert [ours[key] for key in ("loss", "reward_margin", "pairs")] == pytest.approx(
            [theirs[key] for key in ("loss", "reward_margin", "pairs")], abs=1e-5
        )


def test_a_model_without_units_is_refused(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "llama")
    with pytest.raises(
        CheckpointError, match=r"text: has no units .*; --dpo continues a model that has them"
    ):
        train(pair_options(folder, tmp_path / "out"))


def test_trl_is_an_extra(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(MissingPackageError, match=r"needed for --dpo.*; try: pip install 'spiritlm\[dpo\]'"):
        train(pair_options(base, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named_before_the_model_is_read(tmp_path: Path) -> None:
    options = pair_options(tmp_path / "none", tmp_path / "out", dpo=(tmp_path / "none.jsonl",))
    with pytest.raises(ManifestError, match=r"none\.jsonl: no such file or folder"):
        train(options)
    assert not (tmp_path / "out").exists()
