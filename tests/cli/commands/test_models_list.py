import json

import pytest
from model_server import serve_models


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serve_models(tmp_path, monkeypatch) as server:
        yield server


def test_list(spiritlm, server, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    result = spiritlm("models", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "https://huggingface.co/slprl/slam" in result.stdout
    assert "25 Hz HuBERT tokenizer and vocoder" in result.stdout
    models = {
        model["name"]: model for model in json.loads(spiritlm("models", "list", "--json").stdout)["models"]
    }
    assert models["twist"]["license"] == "CC BY-NC"
    assert models["twist"]["folder"] is None
    assert models["nano"]["size"] > 10**6


def test_names_that_are_not_known(spiritlm, server):
    for name in ("../../etc", "nothing"):
        for task in ("path", "pull"):
            result = spiritlm("models", task, name)
            assert (result.exit_code, result.stdout) == (1, "")
