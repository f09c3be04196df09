from text_models import lines_options, text_model

from spiritlm_cli.training.starting_model import starting_model


def test_merge(spiritlm, tmp_path):
    folder = text_model(tmp_path / "text", "llama")
    starting_model(lines_options(folder, tmp_path / "adapter", lora=1), []).save()
    result = spiritlm("models", "merge", tmp_path / "adapter", "-o", tmp_path / "merged")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"spiritlm: {tmp_path / 'merged'}: the merged model is here\n"
    refused = spiritlm("models", "merge", tmp_path / "text", "-o", tmp_path / "other")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "not the folder of an adapter" in refused.stderr
