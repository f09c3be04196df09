import json

import pytest

from spiritlm_cli.profiling import speed


@pytest.fixture
def model(small_release):
    return ("--model", small_release)


@pytest.fixture(autouse=True)
def _little_effort(monkeypatch):
    monkeypatch.setattr(speed, "DEFAULT_EFFORT", speed.Effort(runs=1, tokens=3, peak=1e11))


def test_the_table_is_on_stdout_and_what_is_measured_on_stderr(spiritlm, model):
    result = spiritlm("bench", *model, "--device", "cpu", "--seconds", "1")
    assert result.exit_code == 0
    for text in ("hubert", "tokenize", "decode", "× real time", "tokens/s", "GFLOP/s", "MB"):
        assert text in result.stdout
    first, *stages = result.stderr.splitlines()
    assert first.endswith("float32, 1 s of sound in 1 clip")
    assert stages[0] == "spiritlm: hubert …"
    assert len(stages) == 7


def test_json_of_a_sound_in_batches(spiritlm, model, recording):
    arguments = ("--audio", recording, "--seconds", "1.5", "--batch-seconds", "1", "--units", "base")
    result = spiritlm("bench", *model, "--device", "cpu", *arguments, "--json", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["seconds"], report["dtype"]) == (1.5, "float32")
    assert [row["stage"] for row in report["stages"]] == ["hubert", "tokenize", "decode", "generate"]
    assert all(row["per_second"] > 0 for row in report["stages"])


def test_what_the_checkpoint_lacks_is_said(spiritlm, release_tree, tmp_path):
    (tmp_path / "spiritlm_model").symlink_to(release_tree / "spiritlm_model")
    result = spiritlm("bench", "--model", tmp_path, "--device", "cpu", "--seconds", "1", "--json")
    assert result.exit_code == 0
    assert [row["stage"] for row in json.loads(result.stdout)["stages"]] == ["generate"]
    assert "spiritlm: tokenize is left out: " in result.stderr


def test_parts_of_several_models(spiritlm, twist_folder, open_language_models):
    arguments = ("bench", "--device", "cpu", "--seconds", "1", "--json", "-q")
    lm = ("--lm", open_language_models / "sims-qwen", "--text-tokenizer", open_language_models / "text-qwen")
    result = spiritlm(*arguments, "--model", twist_folder, *lm)
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report["model"] == "twist with the language model of sims-qwen"
    assert [row["stage"] for row in report["stages"]] == ["hubert", "tokenize", "decode", "generate"]
    result = spiritlm(*arguments, "--model", twist_folder, "--lm", "nano")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the language model of nano takes the units of nano" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("--seconds", "0"), 2, "--seconds"),
        (("--audio", "no.wav"), 1, "no.wav: no such file"),
        (("--device", "cpu", "--dtype", "float16"), 1, "float16 needs a GPU"),
    ],
)
def test_what_can_t_be_measured(spiritlm, model, arguments, status, reason):
    result = spiritlm("bench", *model, *arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert reason in result.stderr
