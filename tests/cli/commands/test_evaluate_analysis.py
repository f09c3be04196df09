import json


def test_similarity(spiritlm, model, recording, tmp_path):
    words = json.dumps(
        [{"word": word, "start": i / 4, "end": (i + 1) / 4} for i, word in enumerate(("of", "cow"))]
    )
    (tmp_path / "clips.tsv").write_text(f"id\taudio\ttext\twords\na\t{recording}\tof cow\t{words}\n")
    result = spiritlm("evaluate", "similarity", *model, tmp_path / "clips.tsv", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["task"], report["words"]) == ("similarity", 2)
    result = spiritlm("evaluate", "similarity", *model, tmp_path / "clips.tsv", "--compare", tmp_path)
    assert result.exit_code == 2
    assert "is for --plot" in result.stderr


def test_toxicity(spiritlm, model, tmp_path):
    for name in ("prompts.txt", "words.txt"):
        (tmp_path / name).write_text("the cat\n")
    arguments = ("evaluate", "toxicity", *model, tmp_path / "prompts.txt", "--max-new-tokens", "2")
    result = spiritlm(*arguments, "--words", tmp_path / "words.txt")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "more toxic words" in result.stdout
    assert spiritlm(*arguments).exit_code == 2
