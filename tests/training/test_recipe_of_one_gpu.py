"""The options of docs/recipes/one-gpu train a model as they are: one step, from a tiny stand-in."""

import json
from pathlib import Path

from text_models import text_model
from typer.testing import CliRunner

from spiritlm_cli.cli.main import app
from spiritlm_cli.language.vocabulary_loading import load_vocabulary

RECIPE = Path(__file__).parents[2] / "docs" / "recipes" / "one-gpu" / "lm.yaml"


def test_recipe_of_one_gpu_trains(corpus: Path, tmp_path: Path) -> None:
    units, output = tmp_path / "units.jsonl", tmp_path / "out"
    rows = map(json.loads, (corpus / "units.jsonl").read_text().splitlines())
    units.write_text("".join(json.dumps({"id": row["id"], "hubert": row["hubert"]}) + "\n" for row in rows))
    texts = tmp_path / "texts.txt"
    texts.write_text("the cat sat\n")
    words = [
        "train",
        "lm",
        "--config",
        RECIPE,
        "--from",
        text_model(tmp_path / "text", "qwen2"),
        "-o",
        output,
    ]
    words += ["--manifest", corpus / "clips.jsonl", "--units", units, "--text", texts]
    # what is smaller: the model's context is 64 tokens
    words += [
        "--steps",
        1,
        "--context",
        64,
        "--batch",
        1,
        "--accumulate",
        3,
        "--workers",
        0,
        "--no-tensorboard",
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.stderr
    (line,) = map(json.loads, (output / "training" / "lm.metrics.jsonl").read_text().splitlines())
    assert line["tokens"] == 3 * 64
    assert line["text"] > 0
    assert line["units"] > 0
    kinds = {unit.kind.name for unit in load_vocabulary(output).unit_ids}
    assert kinds == {"HUBERT"}
