import json

import numpy as np


def test_abx_of_features(spiritlm, tmp_path):
    (tmp_path / "dev.item").write_text(
        "#file onset offset #phone prev-phone next-phone speaker\n"
        + "".join(f"x {i / 10} {(i + 1) / 10} {phone} L R s\n" for i, phone in enumerate("AABB"))
    )
    np.save(tmp_path / "x.npy", np.repeat([0, 0, 1, 1], 2))
    arguments = ("evaluate", "abx", tmp_path / "dev.item", "--features", tmp_path, "--rate", "20")
    result = spiritlm(*arguments, "--mode", "within", "--max-x", "all")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "ABX error %" in result.stdout
    assert "speakers of X all" in result.stdout
    report = json.loads(spiritlm(*arguments, "--json").stdout)
    assert report["rows"][0]["error"]["value"] == 0
    result = spiritlm(*arguments, "--max-x", "none")
    assert result.exit_code == 2
    assert "a number from 1, or all" in result.stderr


def test_units_of_a_recording(spiritlm, model, recording):
    result = spiritlm("evaluate", "units", recording.parent, *model, "--no-phones", "--limit", "1", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert {row["name"] for row in rows} >= {"phonetic", "noise"}


def test_resynthesis_needs_data(spiritlm, model):
    result = spiritlm("evaluate", "resynthesis", *model)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give either a folder or manifest" in result.stderr
