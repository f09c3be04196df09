import json


def test_report(spiritlm, model, tmp_path):
    table, items = tmp_path / "pairs.tsv", tmp_path / "items.jsonl"
    table.write_text("good\tbad\nthe cat\tthe the\n")
    result = spiritlm("evaluate", "pairs", table, *model, "--items", items, "--json")
    assert result.exit_code == 0
    whole = json.loads(result.stdout)
    result = spiritlm("evaluate", "report", items, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [whole])
    assert "| pairs | overall | by mean, % |" in spiritlm("evaluate", "report", items).stdout
    result = spiritlm("evaluate", "report", table)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not an items file" in result.stderr
