import json

import pytest

LINE = "[SPEECH][St1][Pi1][Hu1][Pi2][Hu2][Pi3][Hu3]"


def test_inspect_is_inspect_show(spiritlm, model):
    results = [spiritlm(*words, *model, stdin=f"{LINE}\n") for words in (("inspect",), ("inspect", "show"))]
    assert [result.exit_code for result in results] == [0, 0]
    assert results[0].stdout == results[1].stdout
    assert LINE in results[0].stdout.splitlines()


def test_json_of_audio(spiritlm, model, recording):
    result = spiritlm("inspect", *model, "--json", recording)
    row = json.loads(result.stdout)
    tokens = spiritlm("tokenize", *model, recording).stdout.rstrip("\n")
    assert row["line"] == tokens
    assert row["timing"] == "exact"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("gone.wav",), 1, "gone.wav: no such file"),
        (("-", "--plot", "a.jpg"), 2, "name a .png or .svg file"),
        (("-", "--stats", "--html", "a.html"), 2, "--stats all of them together"),
    ],
)
def test_errors(spiritlm, arguments, status, message):
    result = spiritlm("inspect", *arguments)
    assert result.exit_code == status
    assert message in " ".join(result.stderr.split())
