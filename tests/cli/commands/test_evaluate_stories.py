import json

import pytest
import soundfile


@pytest.fixture(scope="module")
def wav(recording_file):
    """Write a part of the recording."""
    samples, rate = soundfile.read(recording_file, dtype="int16")

    def write(path, index):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples[4800 * index : 4800 * (index + 1)], rate)

    return write


def test_storycloze_in_four_directions(spiritlm, model, wav, tmp_path):
    (tmp_path / "marker").write_text("[TEXT]\n")
    texts = {"mutual": "The cat sat.", "correct": "It slept.", "incorrect": "Hats sang."}
    for speaker, first in (("f", 10), ("m", 20)):
        for index, (part, text) in enumerate(texts.items(), first):
            wav(tmp_path / "cross" / speaker / f"a_{part}.wav", index)
            (tmp_path / "cross" / speaker / f"a_{part}.txt").write_text(text)
    arguments = ("evaluate", "topic-storycloze", tmp_path / "cross", *model, "--json", "--normalize", "whole")
    result = spiritlm(*arguments, "--items", tmp_path / "items")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    facts = report["run"]["facts"]
    assert (facts["normalized over"], facts["layout"]) == ("whole", "stories and endings")
    assert [(row["set"], row["name"]) for row in report["rows"]] == [
        ("T→T", "overall"),
        *((direction, name) for direction in ("T→S", "S→T", "S→S") for name in ("overall", "f", "m")),
    ]
    items = {item["id"]: item for item in map(json.loads, (tmp_path / "items").read_text().splitlines()[1:])}
    assert len(items) == 7
    whole = spiritlm(
        "generate", *model, "--score", "--given", tmp_path / "marker", stdin="The cat sat. It slept.\n"
    )
    assert items["f/a/T→T"]["good"][0]["tokens"] == int(whole.stdout.split()[1])
    result = spiritlm(*arguments, "--direction", "TT", "--items", tmp_path / "text")
    assert list(json.loads(result.stdout)["run"]["parts"]) == ["language model"]
    assert json.loads((tmp_path / "text").read_text().splitlines()[1]) == items["f/a/T→T"]


def test_storycloze_of_whole_stories(spiritlm, model, wav, tmp_path):
    for index, name in enumerate(("0_a_correct", "1_a_incorrect", "2_b_correct"), 10):
        wav(tmp_path / "sSC" / f"{name}.wav", index)
    result = spiritlm("evaluate", "storycloze", tmp_path / "sSC", *model, "--on-error", "skip")
    assert result.exit_code == 1
    assert "2_b_correct.wav: its counterpart is missing" in result.stderr
    shown = " ".join(result.stdout.split())
    for text in (
        "storycloze: 1 items, 1 pairs, 1 skipped",
        "S→S overall",
        "61",
        "56.2",
        "marker given",
        "recordings: whole",
    ):
        assert text in shown


def test_storycloze_of_a_table(spiritlm, model, tmp_path):
    path = tmp_path / "stories.csv"
    path.write_text(
        "pair_id,text,type,correctness\n1,The cat sat.,prompt,\n1,It slept.,e,correct\n1,Hats.,e,incorrect\n"
    )
    report = json.loads(spiritlm("evaluate", "storycloze", path, *model, "--json").stdout)
    assert [(row["set"], row["items"]) for row in report["rows"]] == [("T→T", 1)]
    assert list(report["run"]["parts"]) == ["language model"]


def test_salmon(spiritlm, model, wav, tmp_path):
    for index, part in enumerate(("gender_consistency", "bg_alignment")):
        for sample in (0, 1):
            wav(tmp_path / part / f"sample_0_{sample}.wav", 10 + 2 * index + sample)
    arguments = ("evaluate", "salmon", tmp_path, *model, "--json", "--score-units", "hubert")
    report = json.loads(spiritlm(*arguments).stdout)
    assert [(row["set"], row["name"]) for row in report["rows"]] == [
        ("bg_alignment", "overall"), ("gender_consistency", "overall"), (None, "mean over sets"),
    ]  # fmt: skip
    assert [row["published"][0]["by_mean"] for row in report["rows"][:2]] == [51.5, 67.0]
    assert list(report["run"]["parts"]) == ["tokenizer", "language model"]
    assert report["run"]["facts"] == {"marker": "given", "counted units": "hubert"}
