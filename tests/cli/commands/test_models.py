import json

import pytest
from open_models import KMEANS

from spiritlm_cli.checkpoints import find_checkpoint


def test_a_converted_checkpoint_takes_the_tokens_of_the_old(
    spiritlm, model, release_tree, recording, tmp_path
):
    out = tmp_path / "out"
    result = spiritlm("models", "convert", release_tree, "-o", out, "--shard-size", "5MB")
    assert (result.exit_code, result.stdout) == (0, "")
    files = [path for path in out.rglob("*") if path.is_file() and path.name != "converted.json"]
    *steps, end = result.stderr.splitlines()
    assert len(steps) == len(files)
    assert steps[1].startswith("spiritlm: 2/")
    size = sum(path.stat().st_size for path in files)
    assert end == f"spiritlm: {out}: {len(files)} files written, {size / 1e6:,.1f} MB"

    tokens = spiritlm("tokenize", *model, "--header", recording).stdout
    greedy = ("generate", "--greedy", "--max-new-tokens", "4")
    answers = [spiritlm(*greedy, "--model", root, stdin=tokens) for root in (release_tree, out)]
    assert [answer.exit_code for answer in answers] == [0, 0]
    assert answers[0].stdout.splitlines()[1:] == answers[1].stdout.splitlines()[1:]
    fingerprint = find_checkpoint(str(release_tree)).fingerprint()
    again = spiritlm("tokenize", "--model", out, "--header", recording).stdout
    assert again.splitlines()[0] == f"#spiritlm 1 model=out tokenizer={fingerprint}"
    assert again.splitlines()[1] == tokens.splitlines()[1]

    quiet = spiritlm("models", "convert", release_tree, "-o", out, "--shard-size", "5MB", "-q")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")


def test_nano_is_safetensors_already(spiritlm, tmp_path):
    result = spiritlm("models", "convert", "nano", "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr == "spiritlm: nano: its weights are safetensors already; there is nothing to convert\n"
    )


def test_a_folder_with_something_else_is_left_alone(spiritlm, release_tree, tmp_path):
    (tmp_path / "converted.json").write_text(json.dumps({"shard_size": 1}))
    result = spiritlm("models", "convert", release_tree, "-o", tmp_path)
    assert result.exit_code == 1
    assert "empty it, or give -o another folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["converted.json"]


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "4GiB", "4 4"])
def test_what_is_no_size(spiritlm, release_tree, tmp_path, text):
    result = spiritlm("models", "convert", release_tree, "-o", tmp_path / "out", f"--shard-size={text}")
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_help(spiritlm):
    for arguments in (("models",), ("models", "convert")):
        result = spiritlm(*arguments, "--help")
        assert result.exit_code == 0
        assert "spiritlm models convert" in result.stdout.partition("Example")[2]


def test_models_of_other_programs(spiritlm, twist_folder, open_language_models, tmp_path):
    out = tmp_path / "L11_km500.safetensors"
    result = spiritlm("models", "convert", twist_folder / KMEANS, "-o", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"spiritlm: {out}: 1 file written, {out.stat().st_size / 1e6:,.1f} MB\n"
    root, text = open_language_models / "sims-qwen", open_language_models / "text-qwen"
    result = spiritlm("models", "convert", root, "-o", tmp_path / "lm")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "sims-qwen: has no text tokenizer; add --text-tokenizer" in result.stderr
    result = spiritlm("models", "convert", root, "-o", tmp_path / "lm", "--text-tokenizer", text)
    assert (result.exit_code, result.stdout) == (0, "")
    prompt = "[SPEECH][Hu3][Hu7]\n"
    scores = [
        spiritlm("generate", "--score", *model, stdin=prompt).stdout
        for model in (("--lm", root, "--text-tokenizer", text), ("--lm", tmp_path / "lm"))
    ]
    assert scores[0] == scores[1] != ""
