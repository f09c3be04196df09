"""Validation of a language model in training."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from text_models import LINE, lines_options, text_model
from training_fixtures import assert_same_weights, in_two_processes, interrupted

from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.writer import format_sequence
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.starting_model import starting_model
from spiritlm_cli.training.validation import HeldOut, Validation, read_held_out

NAMES = {"step", "valid_loss", "valid_text", "valid_units", "valid_wer"}
LONG = "[SPEECH]" + "[Hu3][Hu4]" * 20 + "[TEXT]the mat"


def valid_options(folder: Path, output: Path, clips: str = "ab", **changes: Any) -> LanguageModelOptions:
    """Options with two held-out lines and a clip for each letter of `clips`, which are written beside `output`."""
    lines, manifest, units = (output.parent / name for name in ("valid.txt", "valid.jsonl", "units.jsonl"))
    lines.write_text(f"{LINE}\n{LONG}\n")
    rows = [{"id": name, "audio": f"{name}.wav", "text": "the cat sat"} for name in clips]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    units.write_text("".join(json.dumps({"id": name, "hubert": "3 3 7 7 9"}) + "\n" for name in clips))
    held_out = {"valid": lines, "valid_manifest": manifest, "valid_units": units}
    return lines_options(
        folder, output, **held_out | {"valid_clips": 2, "steps": 2, "valid_every": 1} | changes
    )


def results(output: Path) -> list[dict[str, Any]]:
    """The values of the steps with validation, without the prefix of their names."""
    lines = map(json.loads, (output / "training/lm.metrics.jsonl").read_text().splitlines())
    return [
        {name.removeprefix("valid_"): line[name] for name in NAMES} for line in lines if "valid_loss" in line
    ]


@pytest.mark.parametrize("lora", [None, 2])
def test_train_with_validation(lora: int | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, output = text_model(tmp_path / "text", "qwen2"), tmp_path / "out"
    train(valid_options(folder, output, lora=lora))
    found = results(output)
    assert [one["step"] for one in found] == [1, 2]
    assert found[1]["loss"] < found[0]["loss"]
    assert all(one["text"] and one["units"] and one["wer"] is not None for one in found)
    assert "lm: step 2, held-out loss" in capfd.readouterr().err
    rows = [json.loads(line) for line in (output / "training/transcripts/2.jsonl").read_text().splitlines()]
    assert [(row["id"], row["reference"]) for row in rows] == [("a", "the cat sat"), ("b", "the cat sat")]
    assert found[1]["wer"] == pytest.approx(sum(row["errors"] for row in rows) / 6)
    # the best weights, in a folder with everything, are the last ones here
    name = "adapter_model.safetensors" if lora else "model.safetensors"
    assert_same_weights(output / name, output / "best" / name)
    assert load_vocabulary(output / "best").size == load_vocabulary(output).size
    if not lora:
        score = LanguageModel.load(str(output / "best"), device="cpu").score(parse_line(LINE).sequence)
        assert score.log_likelihood < 0
    # training is as without validation
    train(lines_options(folder, tmp_path / "plain", lora=lora, steps=2))
    assert_same_weights(tmp_path / "plain" / name, output / name)


def test_losses_are_those_of_each_sequence_alone(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "opt")
    options = valid_options(
        folder, tmp_path / "out", valid_manifest=None, valid_units=None, batch=3, valid_every=2
    )
    model = starting_model(options, [])
    vocabulary = model.vocabulary
    evaluator = Evaluator(options, model, Loop(options, "lm", 2))
    assert Validation(options, evaluator, read_held_out(options)).after(1) == {}
    result = Validation(options, evaluator, read_held_out(options)).after(2)
    losses: dict[str, list[float]] = {"text": [], "units": []}
    ids = [[*vocabulary.encode(parse_line(line).sequence), *vocabulary.eos_ids[:1]] for line in (LINE, LONG)]
    # 33 tokens, and the rest after the marker
    start = [] if vocabulary.bos_id is None else [vocabulary.bos_id]
    head = [*start, vocabulary.marker_ids["speech"]]
    ids = [ids[0], ids[1][:33], head + ids[1][33:]]
    model.network.eval()
    for row, skipped in zip(ids, (1, 1, len(head)), strict=True):
        with torch.no_grad():
            scores = -model.network(torch.tensor([row])).logits[0, :-1].log_softmax(-1)
        for score, token in list(zip(scores, row[1:], strict=True))[skipped - 1 :]:
            is_text = vocabulary.modality(token) == "text" or token in vocabulary.eos_ids
            losses["text" if is_text else "units"].append(score[token].item())
    assert result.keys() == {"valid_loss", "valid_text", "valid_units"}
    for name, values in losses.items():
        assert result[f"valid_{name}"] == pytest.approx(sum(values) / len(values), abs=1e-4)


def test_held_out_data_of_a_task_have_its_form(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = text_model(tmp_path / "text", "qwen2")
    options = valid_options(folder, tmp_path / "out", task="asr", loss="answer", context=64)
    held_out = read_held_out(options)
    lines = [format_sequence(one.sequence) for one in held_out.sequences]
    assert lines[1].endswith("[Hu4][TEXT] <START Transcript> the mat <END>")
    assert lines[2:] == ["[SPEECH][Hu3][Hu7][Hu9][TEXT] <START Transcript> the cat sat <END>"] * 2
    evaluator = Evaluator(options, starting_model(options, []), Loop(options, "lm", 1))
    result = Validation(options, evaluator, held_out).after(1)
    # the loss is that of the answers alone
    assert result.keys() == {"valid_loss", "valid_text", "valid_wer"}
    assert result["valid_loss"] == result["valid_text"]
    shorter = Validation(replace(options, context=32), evaluator, held_out)
    assert (
        "fit into 32 tokens (--context), so that none is transcribed; the shortest needs"
        in capfd.readouterr().err
    )
    assert "valid_wer" not in shorter.after(1)
    with pytest.raises(ManifestError, match="the held-out data have no tokens that --loss answer trains on"):
        Validation(options, evaluator, HeldOut((LabeledSequence(parse_line("[TEXT]a").sequence),), ()))


@pytest.mark.parametrize("fsdp", [False, True])
def test_two_processes_share_the_held_out_data(fsdp: bool, tmp_path: Path) -> None:
    """Five sequences, three clips and three prompts: the processes have different numbers of them."""
    folder, prompts = (
        text_model(tmp_path / "text", "llama", tie_word_embeddings=True),
        tmp_path / "prompts.txt",
    )
    prompts.write_text("a\t[SPEECH][Hu3][Hu7]\nb\t[TEXT]the cat[SPEECH]\nc\t[TEXT]sat\n")
    one, two = (
        valid_options(
            folder, tmp_path / name, clips="abc", valid_clips=3, sample_prompts=prompts, valid_every=2
        )
        for name in ("one", "two")
    )
    train(replace(one, batch=2))
    first, second = in_two_processes(lambda: train(replace(two, fsdp=fsdp)), tmp_path)
    assert first.count("held-out loss") == 1
    assert second == ""
    for expected, found in zip(results(one.output), results(two.output), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    for name in ("transcripts/2.jsonl", "samples/lm/2.txt"):
        assert (one.output / "training" / name).read_text() == (two.output / "training" / name).read_text()
    for part in ("", "best"):
        assert_same_weights(*(run.output / part / "model.safetensors" for run in (one, two)), tolerance=1e-5)


def test_resume_keeps_the_best(tmp_path: Path) -> None:
    folder = text_model(tmp_path / "text", "qwen2")
    # a rate at which the loss rises
    changes: dict[str, Any] = {"steps": 3, "learning_rate": 5.0, "valid_every": 1, "save_every": 1}
    train(valid_options(folder, tmp_path / "whole", **changes))
    losses = [one["loss"] for one in results(tmp_path / "whole")]
    assert min(losses) < losses[-1]
    options = valid_options(folder, tmp_path / "parts", **changes)
    with interrupted(2):
        train(options)
    train(replace(options, resume=True))
    assert results(tmp_path / "whole") == results(tmp_path / "parts")
    for part in ("", "best"):
        assert_same_weights(*(tmp_path / run / part / "model.safetensors" for run in ("whole", "parts")))
    best, last = (
        read_tensors(tmp_path / "whole" / part / "model.safetensors").tensors for part in ("best", "")
    )
    assert not torch.equal(best["lm_head.weight"], last["lm_head.weight"])


def test_held_out_data_without_content_are_refused(tmp_path: Path) -> None:
    options = valid_options(Path("nano"), tmp_path / "out")
    assert options.valid
    assert options.valid_units
    options.valid_units.write_text('{"id": "c", "hubert": "3"}\n')
    with pytest.raises(ManifestError, match=r"valid\.jsonl: no clip has text, and units in .*units\.jsonl"):
        read_held_out(options)
    options.valid.write_text("\n")
    with pytest.raises(ManifestError, match=r"valid\.txt: there are no tokens"):
        read_held_out(replace(options, valid_manifest=None, valid_units=None))
    with pytest.raises(OptionError, match="needs --valid-units"):
        replace(options, valid_units=None).check()
