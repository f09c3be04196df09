import json


def test_mmlu(spiritlm, model, tmp_path):
    for split, rows in (("dev", 2), ("test", 3)):
        path = tmp_path / "data" / split / f"anatomy_{split}.csv"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f'"Which {row},\nof these?",NA,1.0,c,d,B\n' for row in range(rows)))
    arguments = ("evaluate", "mmlu", tmp_path, *model)
    result = spiritlm(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "anatomy_dev.csv: has 2 examples; --shots 5 needs more" in result.stderr
    result = spiritlm(*arguments, "--shots", "2", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["task"], report["items"], report["ties"]) == ("mmlu", 3, 0)
    assert [row["name"] for row in report["rows"]] == ["over questions", "over subjects", "other", "anatomy"]
    assert report["rows"][0]["published"][0] == {"what": "Base, 5-shot", "accuracy": 36.9}
    assert "category: other" in spiritlm(*arguments, "--shots", "0", "--subject", "anatomy").stdout


def test_choice(spiritlm, model, tmp_path):
    text, speech = tmp_path / "text.jsonl", tmp_path / "speech.jsonl"
    text.write_text('{"id": 1, "prompt": "the", "choices": [" cat", " mat"], "answer": 0}\n')
    choices = [{"tokens": "[Hu1]"}, {"tokens": "[Hu2][Hu3]"}]
    speech.write_text(json.dumps({"id": 1, "choices": choices, "answer": 1}) + "\n")
    items = tmp_path / "items.jsonl"
    result = spiritlm("evaluate", "choice", text, speech, *model, "--items", items, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert [(row["set"], row["name"]) for row in report["rows"]] == [
        ("T→T", "overall"),
        ("S→S", "overall"),
        ("gap", "T→T − S→S"),
    ]
    assert report["run"]["data"] == ["text.jsonl", "speech.jsonl"]
    assert json.loads(spiritlm("evaluate", "report", items, "--json").stdout) == [report]


def test_perplexity(spiritlm, model, recording_file, tmp_path):
    result = spiritlm("evaluate", "perplexity", "-", *model, "--json", stdin="the cat\n[Hu1][Hu2]\n")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert [row["name"] for row in report["rows"]] == ["all tokens", "text", "speech"]
    manifest = tmp_path / "clips.tsv"
    manifest.write_text(f"audio\tend\n{recording_file}\t1\ngone.wav\t\n")
    result = spiritlm("evaluate", "perplexity", "--manifest", manifest, *model, "--on-error", "skip")
    assert result.exit_code == 1
    assert "gone.wav: no such file" in result.stderr
    assert "bits/second" in result.stdout
