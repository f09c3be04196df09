import json


def test_batch_gives_a_verdict(spiritlm, model, recording) -> None:
    result = spiritlm("inspect", "batch", *model, recording, "--units", "base", "--device", "cpu")
    assert result.exit_code == 0
    assert "all together, with a long clip" in result.stdout
    assert result.stdout.splitlines()[-1].startswith(
        "Exact: 1 clip of 0.6 s have the same units alone and in "
    )


def test_batch_as_json(spiritlm, model, recording) -> None:
    result = spiritlm("inspect", "batch", *model, recording, "--units", "base", "--device", "cpu", "--json")
    found = json.loads(result.stdout)
    assert (found["equal"], found["clips"], found["dtype"]) == (True, 1, "float32")


def test_batch_exits_2_for_errors(spiritlm, model, recording) -> None:
    arguments = ("inspect", "batch", *model, "--units", "base", "--device", "cpu", recording)
    assert spiritlm(*arguments, "gone.wav").exit_code == 2
    assert spiritlm(*arguments, "gone.wav", "--on-error", "skip").exit_code == 2
