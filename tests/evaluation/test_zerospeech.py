from collections.abc import Iterable
from pathlib import Path

import pytest
import soundfile

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.evaluation.gold import LEXICAL, PROSODIC, SYNTACTIC
from spiritlm_cli.evaluation.pair_report import pair_result
from spiritlm_cli.evaluation.pair_scoring import MARKER_GIVEN, PairScorer
from spiritlm_cli.evaluation.pairs import BadPair, Entry, Group, Pair, Unpaired
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.zerospeech import find_parts, read_parts
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams

LEXICAL_COLUMNS = "filename,id,voice,frequency,word,phones,length,correct"
SYNTACTIC_COLUMNS = "filename,id,voice,type,subtype,transcription,correct"


@pytest.fixture
def root(tmp_path: Path, recording_file: Path) -> Path:
    """Two words in two voices in lexical/dev, two wavs without answers in lexical/test, a sentence in syntactic/dev."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    place = 16000

    def write(folder: str, names: Iterable[str], *gold: str) -> None:
        nonlocal place
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            soundfile.write(tmp_path / folder / f"{name}.wav", samples[place : place + 4800], rate)
            place += 4800
        if gold:
            (tmp_path / folder / "gold.csv").write_text("\n".join(gold) + "\n")

    write(
        "lexical/dev", ["w1x", "n1x", "w1y", "n1y", "w2x", "n2x"],
        LEXICAL_COLUMNS,
        "w1x,1,x,20,cat,K AE T,3,1", "n1x.wav,1,x,20,cak,K AE K,3,0",
        "w1y.wav,1,y,20.0,cat,K AE T,3,1", "n1y,1,y,20.0,cak,K AE K,3,0",
        "w2x,2,x,,dog,D AO G,3,1", "n2x,2,x,0,dob,D AO B,3,0",
    )  # fmt: skip
    write("lexical/test", ["t1", "t2"])
    write(
        "syntactic/dev", ["g", "b"], SYNTACTIC_COLUMNS,
        'g,1,x,agreement,noun,"the cat, it is",1', 'b,1,x,agreement,noun,"the cat, it are",0',
    )  # fmt: skip
    return tmp_path


def pairs_of(entries: list[Entry]) -> list[Pair]:
    assert all(isinstance(entry, Pair) for entry in entries)
    return [entry for entry in entries if isinstance(entry, Pair)]


def test_where_the_parts_are(root: Path) -> None:
    for path in (root, root / "lexical"):
        dev, test = find_parts(path, LEXICAL)
        assert (dev.name, dev.has_gold, test.name, test.has_gold) == ("dev", True, "test", False)
    assert [part.name for part in find_parts(root / "lexical/test", LEXICAL)] == ["test"]
    with pytest.raises(ManifestError, match=r"no gold\.csv there"):
        read_parts(root / "lexical/test", LEXICAL)
    with pytest.raises(ManifestError, match="no ZeroSpeech folder"):
        read_parts(root / "syntactic/test", SYNTACTIC)


def test_several_benchmarks_below_a_path(root: Path) -> None:
    for name in ("a", "b"):
        (root / "sets" / name / "lexical" / "dev").mkdir(parents=True)
    with pytest.raises(ManifestError, match="several folders have lexical, name one of them"):
        find_parts(root / "sets", LEXICAL)


def test_pairs_of_wavs_are_by_voice(root: Path) -> None:
    entries, without = read_parts(root, LEXICAL)
    assert without == [root / "lexical/test"]
    first, second, third = pairs_of(entries)
    assert [pair.id for pair in (first, second, third)] == ["dev/1/x", "dev/1/y", "dev/2/x"]
    assert (first.item, first.voice, first.set) == ("1", "x", "dev")
    assert ([c.name for c in first.good], [c.name for c in first.bad]) == (["w1x"], ["n1x"])
    # 20 occurrences are in the band that the challenge's tool prints as 21-100
    length = Group("length", "3 phones", 3)
    assert (
        first.groups == second.groups == (Group("vocabulary", "in"), Group("frequency", "20–99", 3), length)
    )
    assert third.groups == (Group("vocabulary", "out", 1), Group("frequency", "oov", 0), length)
    assert isinstance(first.good[0].content, Clip)
    assert first.good[0].content.source == root / "lexical/dev/w1x.wav"
    assert (first.good[0].said, first.bad[0].said) == ("cat", "cak")


def test_written_words_are_one_pair_whatever_the_voices(root: Path) -> None:
    first, second = pairs_of(read_parts(root, LEXICAL, text=True)[0])
    assert (first.id, first.voice) == ("dev/1", None)
    assert first.good[0].content == Sequence.of([TextSpan("cat")])
    assert (len(first.good), [c.name for c in first.bad]) == (1, ["cak"])
    assert second.bad[0].name == "dob"
    (sentence,) = pairs_of(read_parts(root, SYNTACTIC, text=True)[0])
    assert sentence.good[0].name == "the cat, it is"
    assert sentence.groups == (Group("type", "agreement"), Group("subtype", "noun"))


def test_ids_of_sentences_are_counted_in_their_subtype(root: Path) -> None:
    gold = root / "syntactic/dev/gold.csv"
    gold.write_text(gold.read_text() + "g2,1,x,agreement,verb,he is,1\nb2,1,x,agreement,verb,he are,0\n")
    entries, _ = read_parts(root, SYNTACTIC, text=True)
    assert [pair.item for pair in pairs_of(entries)] == ["agreement/noun/1", "agreement/verb/1"]


def test_rows_that_cannot_be_used_come_first_and_are_named(root: Path) -> None:
    gold = root / "lexical/dev/gold.csv"
    rows = [
        "gone,3,x,1,a,A,1,1",
        "w1x,4,x,1,a,A,1,1",
        "n2x.wav,2,z,0,dob,D AO B,3,0",
        "w2x,2",
        "w2x,2,x,many,dog,D AO G,3,1",
        "w2x,2,x,0,dog,D AO G,3,yes",
        "../w2x,2,x,0,dog,D AO G,3,1",
    ]
    kept = [row for row in gold.read_text().splitlines() if not row.startswith(("w2x", "n2x"))]
    gold.write_text("\n".join([*kept, *rows]) + "\n")
    entries, _ = read_parts(root, LEXICAL)
    bad = [entry for entry in entries if isinstance(entry, BadPair)]
    assert entries[: len(bad)] == bad
    assert len(entries) == len(bad) + 2
    reasons = {int(entry.source.rpartition(" ")[2]): (entry.id, str(entry.error)) for entry in bad}
    wanted = {
        6: ("dev/gone", f"{root}/lexical/dev/gone.wav: no such file"),
        7: ("dev/w1x", "w1x was there before"),
        8: ("dev/n2x", "n2x: no correct row has id 2, voice z"),
        9: ("dev/line 9", "2 columns, but line 1 names 8"),
        10: ("dev/w2x", "frequency is 'many', not a number"),
        11: ("dev/w2x", "correct is 'yes', not 1 or 0"),
        12: ("dev/../w2x", "filename is not that of a wav here"),
    }
    assert reasons.keys() == wanted.keys()
    for number, (name, reason) in wanted.items():
        assert reasons[number][0] == name
        assert reasons[number][1].startswith(f"{gold}: line {number}: {reason}")


def test_a_column_that_is_not_there(root: Path) -> None:
    (root / "lexical/dev/gold.csv").write_text("filename,id,frequency,correct\n")
    with pytest.raises(
        ManifestError, match=r"gold\.csv: line 1: no column is named voice, only: filename, id"
    ):
        read_parts(root, LEXICAL)
    with pytest.raises(ManifestError, match="no column is named word"):
        read_parts(root, LEXICAL, text=True)


def test_every_wav_once(root: Path) -> None:
    gold = root / "lexical/dev/gold.csv"
    gold.write_text("\n".join(gold.read_text().splitlines()[:-1]) + "\n")
    entries, _ = read_parts(root, LEXICAL, all_files=True)
    assert isinstance(entries[0], BadPair)
    assert "w2x: no incorrect row" in str(entries[0].error)
    lone = [entry for entry in entries if isinstance(entry, Unpaired)]
    # one is in no row, one in a row without counterpart
    assert [(entry.set, entry.candidate.name) for entry in lone] == [
        ("dev", "n2x"), ("dev", "w2x"), ("test", "t1"), ("test", "t2"),
    ]  # fmt: skip
    names = [candidate.name for entry in entries for candidate in entry.candidates]
    assert sorted(names) == ["n1x", "n1y", "n2x", "t1", "t2", "w1x", "w1y", "w2x"]


def test_a_wav_whose_name_a_submission_cannot_hold(root: Path) -> None:
    (root / "lexical/test/a b\n1.wav").touch()
    (bad, *_) = read_parts(root, LEXICAL, all_files=True)[0]
    assert isinstance(bad, BadPair)
    assert "its name has white space" in str(bad.error)


def test_non_words_without_text_show_phones(root: Path) -> None:
    gold = root / "lexical/dev/gold.csv"
    gold.write_text(
        gold.read_text().replace(",cak,", ",,").replace("x,,dog", "x,3.0,dog").replace(",3,", ",3.0,")
    )
    first, _, third = pairs_of(read_parts(root, LEXICAL)[0])
    assert first.bad[0].said == "K AE K"
    assert third.groups[1:] == (Group("frequency", "1–4", 1), Group("length", "3 phones", 3))
    entries, _ = read_parts(root, LEXICAL, text=True)
    bad = [str(entry.error) for entry in entries if isinstance(entry, BadPair)]
    assert (
        f"{gold}: line 3: word is empty, so there is no text to score; a gold.csv with all texts is needed"
        in bad
    )
    gold.write_text(gold.read_text().replace("K AE T,3.0", "K AE T,many"))
    entries, _ = read_parts(root, LEXICAL)
    assert "length is 'many', not a number of phones" in str(entries[0].error)  # type: ignore[union-attr]


def test_archives_have_a_folder_on_top(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("top")
    (top / "__MACOSX" / "lexical").mkdir(parents=True)
    (top / "sLM21-dataset").symlink_to(root)
    assert [part.name for part in find_parts(top, LEXICAL)] == ["dev", "test"]
    (root / "lexical/dev/gold.csv").unlink()
    with pytest.raises(ManifestError, match=r"no gold\.csv there.*zrc datasets:pull"):
        read_parts(top, LEXICAL)


def test_prosaudit(tmp_path: Path) -> None:
    folder = tmp_path / "english" / "dev"
    folder.mkdir(parents=True)
    rows = [
        "a,1,x,protosyntax,s,he goes,1",
        "b,1,x,protosyntax,t,he goes,0",
        "c,1,x,lexical,s,he is,1",
        "d,1,x,lexical,s,he is,0",
    ]
    (folder / "gold.csv").write_text("\n".join([SYNTACTIC_COLUMNS, *rows]) + "\n")
    for name in "abcd":
        (folder / f"{name}.wav").touch()
    first, second = pairs_of(read_parts(tmp_path, PROSODIC)[0])
    assert (first.item, first.set, first.groups) == ("protosyntax/1", "dev", (Group("type", "protosyntax"),))
    assert second.item == "lexical/1"


def test_names_that_begin_with_numbers_are_pairs(tmp_path: Path) -> None:
    for voice in ("f", "m"):
        (tmp_path / "sBLIMP" / voice).mkdir(parents=True)
        for name in ("0+a", "1+b"):
            (tmp_path / "sBLIMP" / voice / f"{name}.wav").touch()
    entries, without = read_parts(tmp_path, SYNTACTIC)
    assert [(pair.good[0].name, pair.bad[0].name) for pair in pairs_of(entries)] == [
        ("f/0+a", "f/1+b"),
        ("m/0+a", "m/1+b"),
    ]
    assert without == []
    with pytest.raises(ManifestError, match="no ZeroSpeech folder"):
        read_parts(tmp_path, SYNTACTIC, text=True)


@pytest.mark.parametrize("expressive", [False, True])
def test_measured(root: Path, release_tree: Path, expressive: bool) -> None:
    task = PairScorer.load(str(release_tree), speech=True, expressive=expressive, device="cpu")
    # nothing to hear in it; the wavs around it are heard all the same
    soundfile.write(root / "lexical/dev/n1y.wav", [0.0] * 100, 16000)
    entries, _ = read_parts(root, LEXICAL, all_files=True)
    scored = list(task.score_stream(entries))
    assert [one.entry for one in scored] == entries
    with pytest.raises(AudioError, match=r"n1y\.wav: .*short"):
        scored[1].comparison()
    first, second = scored[0].comparison(), scored[2].comparison()
    assert first
    assert second
    records = [{"id": one.pair.id, **one.to_record()} for one in (first, second)]
    result = pair_result(RunDescription("wuggy", "1"), records)
    assert result
    assert [row.name for row in result.rows] == ["overall", "in", "out", "oov", "20–99", "3 phones"]
    assert result.rows[0].values["by_mean"].value == (first.by_mean + second.by_mean) / 2
    assert records[0]["good"][0]["said"] == "cat"

    lm = LanguageModel.load(str(release_tree), expressive=expressive, device="cpu")
    tokenizer = SpeechTokenizer.load(str(release_tree), expressive=expressive, device="cpu")
    wav = read_clip(Clip("w1x", root / "lexical/dev/w1x.wav"))
    alone = lm.score(Sequence.of([merge_streams(tokenizer.encode(wav))]), counted=MARKER_GIVEN)
    assert first.good[0].log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-5)
    assert first.good[0].tokens == alone.tokens
