import json

import pytest
import soundfile


@pytest.fixture
def zerospeech(tmp_path, recording_file):
    """Two pairs in lexical/dev, two WAV files without answers in lexical/test."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    for index, name in enumerate(("dev/w1", "dev/n1", "dev/w2", "dev/n2", "test/t1", "test/t2"), 13):
        path = tmp_path / "zerospeech/lexical" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples[4800 * index : 4800 * (index + 1)], rate)
    (tmp_path / "zerospeech/lexical/dev/gold.csv").write_text(
        "filename,id,voice,frequency,word,phones,length,correct\n"
        "w1,1,x,3,cat,K AE T,3,1\nn1,1,x,3,cak,K AE K,3,0\nw2,2,x,0,dog,D AO G,3,1\nn2,2,x,0,dob,D AO B,3,0\n"
    )
    return tmp_path / "zerospeech"


@pytest.fixture
def pair_list(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "id\tgood\tbad\ttype\np1\tthe cat\tthe the\ttext\np2\t[SPEECH][Hu1]\t[Hu2][Hu3]\tspeech\np3\ta\t[Hu-1]\t\n"
    )
    return path


def test_pairs(spiritlm, model, pair_list, tmp_path):
    arguments = ("evaluate", "pairs", pair_list, *model)
    result = spiritlm(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{pair_list}: line 4, column 6: '[Hu-1]' is not a unit" in result.stderr

    result = spiritlm(*arguments, "--limit", "2", "--items", tmp_path / "items.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "pairs: 2 items, 2 pairs" in result.stdout
    _, *items = (json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines())
    assert [(item["id"], item["groups"][0]["name"]) for item in items] == [("p1", "text"), ("p2", "speech")]
    # the same as `generate --score` after the marker
    (tmp_path / "marker").write_text("[TEXT]\n")
    generate = ("generate", *model, "--score")
    given = spiritlm(*generate, "--given", tmp_path / "marker", stdin="the cat\n").stdout.split()
    assert items[0]["good"][0]["log_likelihood"] == pytest.approx(float(given[0]), abs=1e-4)
    assert items[0]["good"][0]["tokens"] == int(given[1])
    result = spiritlm(*arguments, "--limit", "2", "--items", tmp_path / "counted.jsonl", "--count-marker")
    assert "marker counted" in result.stdout
    item = json.loads((tmp_path / "counted.jsonl").read_text().splitlines()[1])
    alone = spiritlm(*generate, stdin="the cat\n").stdout.split()
    assert item["good"][0]["log_likelihood"] == pytest.approx(float(alone[0]), abs=1e-4)
    assert item["good"][0]["tokens"] == int(alone[1]) == int(given[1]) + 1

    result = spiritlm(*arguments, "--on-error", "skip", "--json", "--errors", tmp_path / "bad.tsv")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["task"], report["pairs"], report["skipped"]) == ("pairs", 2, 1)
    assert [row["name"] for row in report["rows"]] == ["overall", "speech", "text"]
    assert (tmp_path / "bad.tsv").read_text().startswith("p3\t")


@pytest.mark.parametrize("units", ["base", "expressive"])
def test_wuggy_and_its_submission(spiritlm, model, zerospeech, tmp_path, units):
    arguments = ("evaluate", "wuggy", zerospeech, *model, "--units", units, "--json")
    result = spiritlm(*arguments)
    assert result.exit_code == 0
    assert "lexical/test: no gold.csv, so left out" in result.stderr
    report = json.loads(result.stdout)
    assert (report["items"], report["rows"][0]["published"][0]["by_mean"]) == (2, 69.0)

    items = tmp_path / "items.jsonl"
    result = spiritlm(*arguments, "--submission", tmp_path / "to/submit", "--items", items)
    assert result.exit_code == 0
    assert "left out" not in result.stderr  # there are warnings that clips are very quiet
    assert json.loads(result.stdout)["rows"] == report["rows"]
    written = {
        part: [
            line.split(" ") for line in (tmp_path / f"to/submit/lexical/{part}.txt").read_text().splitlines()
        ]
        for part in ("dev", "test")
    }
    assert [name for name, _ in written["dev"]] == ["w1", "n1", "w2", "n2"]
    assert [name for name, _ in written["test"]] == ["t1", "t2"]
    first = json.loads(items.read_text().splitlines()[1])
    assert [float(score) for _, score in written["dev"][:2]] == [
        first["good"][0]["mean"],
        first["bad"][0]["mean"],
    ]


def test_submission_without_gold(spiritlm, model, zerospeech, tmp_path):
    (zerospeech / "lexical/test/t1.wav").write_bytes(b"no sound")
    arguments = ("evaluate", "wuggy", zerospeech / "lexical/test", *model)
    assert "no gold.csv there" in spiritlm(*arguments).stderr
    arguments = (*arguments, "--submission", tmp_path / "out")
    result = spiritlm(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert not (tmp_path / "out/lexical/test.txt").exists()
    result = spiritlm(*arguments, "--on-error", "skip")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "test/t1: " in result.stderr
    (line,) = (tmp_path / "out/lexical/test.txt").read_text().splitlines()
    assert line.startswith("t2 -")


def test_wuggy_of_text(spiritlm, model, zerospeech, tmp_path):
    result = spiritlm("evaluate", "wuggy", zerospeech, *model, "--text")
    assert result.exit_code == 0
    for text in ("wuggy: 2 items, 2 pairs", "frequency: 1–4", "80.3"):
        assert text in result.stdout
    result = spiritlm("evaluate", "wuggy", zerospeech, *model, "--text", "--submission", tmp_path)
    assert result.exit_code == 2


def test_blimp_of_speech_and_of_jsonl(spiritlm, model, zerospeech, tmp_path):
    (zerospeech / "lexical").rename(zerospeech / "syntactic")
    (zerospeech / "syntactic/dev/gold.csv").write_text(
        "filename,id,voice,type,subtype,transcription,correct\n"
        "w1,1,x,anaphor,gender,he is,1\nn1,1,x,anaphor,gender,he are,0\n"
    )
    report = json.loads(spiritlm("evaluate", "blimp", zerospeech, *model, "--json").stdout)
    assert [(row["kind"], row["name"]) for row in report["rows"]] == [
        (None, "overall"), ("type", "anaphor"), ("subtype", "gender"),
    ]  # fmt: skip
    assert report["rows"][0]["published"][0]["by_mean"] == 58.3

    path = tmp_path / "blimp.jsonl"
    row = {"sentence_good": "he is", "sentence_bad": "he are", "linguistics_term": "agreement", "UID": "verb"}
    path.write_text(json.dumps(row) + "\n")
    report = json.loads(spiritlm("evaluate", "blimp", path, *model, "--json").stdout)
    assert [row["kind"] for row in report["rows"]] == [None, "linguistics_term", "UID"]
    assert (report["rows"][0]["published"], report["run"]["facts"]["set"]) == ([], "BLiMP")
    assert spiritlm("evaluate", "blimp", path, *model, "--submission", tmp_path).exit_code == 2


def test_prosaudit_and_its_submission(spiritlm, model, zerospeech, tmp_path):
    (zerospeech / "lexical").rename(zerospeech / "english")
    (zerospeech / "english/dev/gold.csv").write_text(
        "filename,id,voice,type,subtype,transcription,correct\n"
        "w1,1,x,protosyntax,a,he is,1\nn1,1,x,protosyntax,b,he is,0\n"
        "w2,1,x,lexical,a,he is,1\nn2,1,x,lexical,b,he is,0\n"
    )
    arguments = ("evaluate", "prosaudit", zerospeech, *model, "--json", "--submission", tmp_path / "out")
    report = json.loads(spiritlm(*arguments).stdout)
    assert [row["name"] for row in report["rows"]] == ["overall", "mean over types", "lexical", "protosyntax"]
    assert len((tmp_path / "out/english_dev.txt").read_text().splitlines()) == 4
    assert len((tmp_path / "out/english_test.txt").read_text().splitlines()) == 2
