import gzip
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spiritlm_cli.alignment.formats.ctm import format_ctm
from spiritlm_cli.alignment.formats.jsonl import format_row
from spiritlm_cli.alignment.formats.textgrid import Interval, Tier, format_textgrid, format_tiers
from spiritlm_cli.alignment.formats.whisper import format_whisper
from spiritlm_cli.alignment.store import AlignmentFiles, Transcript
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Clip, Word

ONE = Alignment((Word("one", 0.5, 1.0),))
TWO = Alignment((Word("two", 0.25, 0.5), Word("…", 0.5, 0.5)))


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def row(clip_id: str, text: str | None, alignment: Alignment | None) -> str:
    return format_row(Clip(clip_id, Path("x.wav"), text=text), alignment, Path()) + "\n"


def test_find_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.TextGrid", format_textgrid(ONE, 2))
    write(tmp_path / "a.json", "not read")
    write(tmp_path / "b.1.textgrid", format_textgrid(TWO, 2))
    write(tmp_path / "c" / "c.json", format_whisper("Two…", TWO))
    write(tmp_path / "c" / "d.ctm", format_ctm("whatever", ONE))
    write(tmp_path / "e.ctm", "")
    with AlignmentFiles.open(str(tmp_path)) as files:
        for _ in range(2):
            assert files.find("c/c") == Transcript("Two…", TWO)
            assert files.find("a") == Transcript(None, ONE)
            assert files.find("b.1") == Transcript(None, TWO)
            assert files.find("c/d") == Transcript(None, ONE)
            assert files.find("e") == Transcript(None, Alignment(()))
            for missing in ("b", "c", "d", "a.TextGrid", "a/b", "x" * 300, "a\0"):
                assert files.find(missing) is None


@pytest.mark.parametrize("clip_id", ["../a", "b/../../a", "..", "/etc/a"])
def test_find_refuses_ids_outside_the_folder(tmp_path: Path, clip_id: str) -> None:
    write(tmp_path / "a.TextGrid", format_textgrid(ONE, 2))
    (tmp_path / "b").mkdir()
    files = AlignmentFiles.open(tmp_path / "b")
    with pytest.raises(
        ManifestError, match=r"b: the id '.*' leads out of the folder; give the clip another id"
    ):
        files.find(clip_id)
    assert files.find("..a") is None


def test_find_in_a_folder_with_invalid_files(tmp_path: Path) -> None:
    files = AlignmentFiles.open(tmp_path)
    write(tmp_path / "a.TextGrid", format_textgrid(ONE, 2)[:100])
    write(tmp_path / "b.json", "{")
    write(tmp_path / "c.ctm", format_ctm("x", ONE) + format_ctm("y", ONE))
    (tmp_path / "d.ctm").write_bytes(b"\xff")
    write(tmp_path / "e.ctm", "e 1 0.5")
    for clip_id, message in {
        "a": r"a\.TextGrid: line \d: the file says that it has 1 tiers, but 0 follow",
        "b": r"b\.json: not JSON",
        "c": r"c\.ctm: contains several recordings \(x, y\)",
        "d": r"d\.ctm: line 1: not UTF-8 text",
        "e": r"e\.ctm: line 1: not 'recording",
    }.items():
        with pytest.raises(ManifestError, match=message):
            files.find(clip_id)


@pytest.mark.parametrize("name", ["x.ctm", "x.CTM", "x.ctm.gz"])
def test_find_in_a_ctm(tmp_path: Path, name: str) -> None:
    blocks = ["\N{ZERO WIDTH NO-BREAK SPACE};; words\n", format_ctm("šest/1", ONE), "\n"]
    blocks += ["b 1 0.25 0.25 two\n;; said\n\nb 1 0.5 0 …\n", format_ctm("c", ONE).rstrip()]
    with AlignmentFiles.open(write(tmp_path / name, "".join(blocks))) as files:
        for clip_id, expected in [("c", ONE), ("b", TWO), ("šest/1", ONE), ("b", TWO), ("c", ONE)]:
            assert files.find(clip_id) == Transcript(None, expected)
        assert files.find("d") is None
        assert files.find(";;") is None


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson", "x.jsonl.gz"])
def test_find_in_a_manifest(tmp_path: Path, name: str) -> None:
    rows = row("a", "One.", ONE) + "\n" + row("bé", None, TWO) + row("c", "Three", None)
    rows += '{"id": 7, "audio": "a.wav", "words": []}\r\n{"audio": "d/e.wav", "words": []}'
    with AlignmentFiles.open(write(tmp_path / name, rows)) as files:
        for _ in range(2):
            assert files.find("d/e") == files.find("7") == Transcript(None, Alignment(()))
            assert files.find("bé") == Transcript(None, TWO)
            assert files.find("a") == Transcript("One.", ONE)
            assert files.find("c") is None
            assert files.find("x") is None


def test_an_invalid_ctm_line_affects_one_clip(tmp_path: Path) -> None:
    lines = [b"a 1 0 1 one", b"b 1 0", b"c 1 0 1 caf\xe9", b"d 1 0 1 one", b"e 1 0 1 one", b"d 1 1 1 two"]
    (tmp_path / "x.ctm").write_bytes(b"\n".join(lines))
    files = AlignmentFiles.open(tmp_path / "x.ctm")
    for clip_id, message in {
        "b": r"x\.ctm: line 2: not 'recording",
        "c": r"x\.ctm: line 3: not UTF-8 text",
        "d": r"x\.ctm: line 6: 'd' occurred before",
    }.items():
        with pytest.raises(ManifestError, match=message):
            files.find(clip_id)
    assert files.find("e") == Transcript(None, Alignment((Word("one", 0, 1),)))
    assert files.find("a") == files.find("e")
    assert files.find("f") is None


def test_an_invalid_row_affects_one_clip(tmp_path: Path) -> None:
    rows = [
        row("a", None, ONE),
        row("b", None, ONE).replace("0.5", "5"),
        row("c", None, ONE),
        row("c", None, ONE),
    ]
    rows += [row("d", None, ONE), row("a", None, ONE)]
    files = AlignmentFiles.open(write(tmp_path / "x.jsonl", "".join(rows)))
    for clip_id, message in {
        "a": r"x\.jsonl: line 6: 'a' occurred before",
        "b": r"x\.jsonl: line 2: word 1: 'one' begins at 5 s and ends at 1 s",
        "c": r"x\.jsonl: line 4: 'c' occurred before",
    }.items():
        with pytest.raises(ManifestError, match=message):
            files.find(clip_id)
    assert files.find("d") == Transcript(None, ONE)
    assert files.find("e") is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "b", "aud', "line 2: not JSON"),
        ("[]", "line 2: not a JSON object"),
        ('{"id": "b"}', "line 2: audio is not a path: None"),
    ],
)
def test_find_names_a_row_without_a_valid_id(tmp_path: Path, line: str, message: str) -> None:
    rows = row("a", None, ONE) + line + "\n[[\n"
    with AlignmentFiles.open(write(tmp_path / "x.jsonl", rows)) as files:
        assert files.find("a") == Transcript(None, ONE)
        with pytest.raises(
            ManifestError, match=r"'b' is not in the file, and a line can't be read: .*x\.jsonl: " + message
        ):
            files.find("b")


@pytest.mark.parametrize("name", ["x.TextGrid", "x.textgrid", "x.json"])
def test_find_in_a_file_of_one_clip(tmp_path: Path, name: str) -> None:
    content = format_whisper("One", ONE) if name == "x.json" else format_textgrid(ONE, 2)
    files = AlignmentFiles.open(write(tmp_path / name, content))
    for _ in range(2):
        assert files.find("any/id") == Transcript("One" if name == "x.json" else None, ONE)
    with pytest.raises(
        ManifestError, match=rf"{name}: contains one clip, already used for 'any/id', so not for 'x'"
    ):
        files.find("x")
    assert files.find("any/id") is not None


def test_open_errors(tmp_path: Path) -> None:
    for name in ("none", "none.ctm", "none.json"):
        with pytest.raises(ManifestError, match=rf"{name}: no such file or folder"):
            AlignmentFiles.open(tmp_path / name)
    for name in ("x.txt", "x.gz", "x.json.gz", "x"):
        with pytest.raises(ManifestError, match=rf"{name}: not the name of an alignment file \(\.ctm, "):
            AlignmentFiles.open(write(tmp_path / name, "x"))
    whole = gzip.compress(format_ctm("a", ONE).encode() * 100)
    for damaged in (whole[:-20], b"a 1 0 1 one\n", whole[:30] + b"\0\xff" + whole[32:]):
        (tmp_path / "x.ctm.gz").write_bytes(damaged)
        with pytest.raises(ManifestError, match=r"x\.ctm\.gz: gzip data is cut off or damaged"):
            AlignmentFiles.open(tmp_path / "x.ctm.gz")


@pytest.mark.parametrize("name", ["x.ctm", "x.ctm.gz", "x.jsonl"])
def test_find_in_any_order_from_threads(tmp_path: Path, name: str) -> None:
    alignments = {
        f"clip-{number}": Alignment((Word(f"w{number}", number / 1000, 9.0), Word("–", 9.0, 9.0)))
        for number in range(2000)
    }
    lines = [
        row(clip_id, None, alignment) if name == "x.jsonl" else format_ctm(clip_id, alignment)
        for clip_id, alignment in alignments.items()
    ]
    clip_ids = random.Random(0).choices(list(alignments), k=2000)
    with (
        AlignmentFiles.open(write(tmp_path / name, "".join(lines))) as files,
        ThreadPoolExecutor(4) as pool,
    ):
        for clip_id, transcript in zip(clip_ids, pool.map(files.find, clip_ids), strict=True):
            assert transcript == Transcript(None, alignments[clip_id])


def labeled(folder: Path, name: str, labels: list[str]) -> AlignmentFiles:
    """A file with the words a and b, and labels between them."""
    words = tuple(Word(label, index, index + 1) for index, label in enumerate(["a", *labels, "b"]))
    alignment = Alignment(words)
    intervals = "".join(f'{word.start}\n{word.end}\n"{word.word}"\n' for word in words)
    content = {
        "a.ctm": "".join(f"a 1 {word.start} 1 {word.word}\n" for word in words),
        "a.TextGrid": f'"ooTextFile"\n"TextGrid"\n0 9 <exists> 1 "IntervalTier" "words" 0 9 {len(words)}\n{intervals}',
        "a.json": format_whisper(" ".join(word.word for word in words), alignment),
        "a.jsonl": row("a", " ".join(word.word for word in words), alignment),
    }[name]
    return AlignmentFiles.open(write(folder / name, content), keep_labels="keep" in folder.name)


@pytest.mark.parametrize("name", ["a.TextGrid", "a.ctm", "a.json", "a.jsonl"])
def test_one_rule_for_labels_in_every_source(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    labels = ["<eps>", "[noise]", "sil", "{NS}", "#", "<NOISE>", "[laughter]"]
    found = labeled(tmp_path / "drop", name, labels).find("a")
    assert found is not None
    assert found.alignment is not None
    assert found.alignment.words == (Word("a", 0, 1), Word("b", 8, 9))
    assert found.text in (None, "a b")
    assert "noise" in caplog.text + str(found.alignment.notes)
    kept = labeled(tmp_path / "keep", name, [*labels, "<unk>"]).find("a")
    assert kept is not None
    assert kept.alignment is not None
    spoken = ["a", "[noise]", "{NS}", "<NOISE>", "[laughter]", "<unk>", "b"]
    assert [word.word for word in kept.alignment.words] == spoken
    assert kept.text in (None, " ".join(spoken))
    for unknown in ("<unk>", "spn", "[bracketed]"):
        with pytest.raises(ManifestError, match="stands for an unknown word"):
            labeled(tmp_path / "drop", name, [unknown]).find("a")


def test_find_phones(tmp_path: Path) -> None:
    phones = Tier("phones", [Interval(0.5, 1.0, "AH0")])
    write(tmp_path / "a.TextGrid", format_tiers([Tier("words", []), phones], 2.0))
    for path in (tmp_path, tmp_path / "a.TextGrid"):
        with AlignmentFiles.open(path, tier="phones") as files:
            found = files.find("a")
            assert found
            assert found.alignment == Alignment((Word("AH0", 0.5, 1.0),))
    path = write(tmp_path / "phones.ctm", "a 1 0 0.5 SIL\na 1 0.5 0.5 AH0\na 1 1 0.5 spn\n")
    with AlignmentFiles.open(path, keep_labels=True, tier="phones") as files:
        found = files.find("a")
        assert found
        assert found.alignment == Alignment((Word("AH0", 0.5, 1.0), Word("spn", 1.0, 1.5)))
