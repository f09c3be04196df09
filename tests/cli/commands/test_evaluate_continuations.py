import json

from stsp_fixtures import write_released_example


def test_stsp_of_predictions(spiritlm, tmp_path):
    references, predictions = write_released_example(tmp_path)
    arguments = ("evaluate", "stsp", references, "--score-only", predictions, "--json")
    for label, accuracy in (("sentiment", 0.4), ("emotion", 1.0)):
        result = spiritlm(*arguments, "--label", label)
        assert (result.exit_code, result.stderr) == (0, "")
        assert json.loads(result.stdout)["rows"][0]["accuracy"]["value"] == accuracy


def test_missing_judges_are_named(spiritlm, tmp_path):
    for task, option in (("stsp", "--text-classifier"), ("continuation", "--text-lm")):
        result = spiritlm("evaluate", task, tmp_path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert option in result.stderr
        assert "hf download" in result.stderr
