import gzip
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word
from spiritlm_cli.manifests.manifest import count_clips, folder_of, read_manifest, scan_manifest

WORDS = [{"word": "a", "start": 0, "end": 0.5, "score": 1}, {"word": "b", "start": 0.5, "end": 1}]
ALIGNMENT = Alignment((Word("a", 0, 0.5), Word("b", 0.5, 1)))
TSV = (
    "id\taudio\tstart\tend\ttext\tspeaker\twords\tvoice\n"
    f"one\tsub/a.wav\t1.5\t2\t a  “b” \tbob\t{json.dumps(WORDS)}\tx\n"
    "\n"
    "two\t/abs/b.flac\t\t\t\t\t\t\n"
)


def expected(folder: Path) -> list[Clip]:
    return [
        Clip("one", folder / "sub/a.wav", 1.5, 2.0, " a  “b” ", "bob", ALIGNMENT),
        Clip("two", Path("/abs/b.flac")),
    ]


def jsonl() -> str:
    first = {
        "id": "one",
        "audio": "sub/a.wav",
        "start": 1.5,
        "end": 2,
        "text": " a  “b” ",
        "speaker": "bob",
        "words": WORDS,
        "voice": {"x": 1},
    }
    return "".join(
        json.dumps(line) + "\n" for line in (first, {"id": "two", "audio": "/abs/b.flac", "text": None})
    )


@pytest.mark.parametrize("name", ["m.tsv", "m", "m.txt", "m.tsv.gz", "m.gz"])
@pytest.mark.parametrize("form", ["plain", "crlf", "mark", "torn"])
def test_read_manifest_tsv(tmp_path: Path, name: str, form: str) -> None:
    content = {
        "plain": TSV,
        "crlf": TSV.replace("\n", "\r\n"),
        "mark": "\N{ZERO WIDTH NO-BREAK SPACE}" + TSV,
        "torn": TSV.removesuffix("\n"),
    }[form].encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(read_manifest(tmp_path / name)) == expected(tmp_path)


@pytest.mark.parametrize("name", ["m.jsonl", "m", "m.json", "m.jsonl.gz"])
def test_read_manifest_jsonl(tmp_path: Path, name: str) -> None:
    content = jsonl().encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(read_manifest(str(tmp_path / name))) == expected(tmp_path)


def test_read_manifest_wav_scp(tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text("one a b.wav\ntwo\t/abs/b.flac\n")
    assert list(read_manifest(tmp_path / "wav.scp")) == [
        Clip("one", tmp_path / "a b.wav"),
        Clip("two", Path("/abs/b.flac")),
    ]


def test_read_manifest_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TSV.encode())))
    assert list(read_manifest("-")) == expected(Path())


def test_default_ids(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("audio\nsub/a.b.wav\ntake.1\n")
    assert [clip.id for clip in read_manifest(tmp_path / "m.tsv")] == ["sub/a.b", "take.1"]


def test_numbers_as_ids_and_speakers(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"id": 7, "audio": "a.wav", "speaker": 0}\n')
    assert list(read_manifest(tmp_path / "m.jsonl")) == [Clip("7", tmp_path / "a.wav", speaker="0")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.jsonl", "", "lists no clips"),
        ("wav.scp", "\n", "lists no clips"),
        ("m.tsv", "audio\n", "lists no clips"),
        ("m.tsv", "", "empty; its first line should name the columns"),
        ("m.csv", "audio\r\n", "lists no clips"),
    ],
)
def test_empty_manifests(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, newline="")
    for read in (lambda path: list(read_manifest(path)), count_clips):
        with pytest.raises(ManifestError, match=rf"{name}: {message}"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("m.tsv", "id\taudio\tend\na\ta.wav\t1\nb\tb.wav\nc\tc.wav\t-1\nd\td.wav\t1\n", ["b", "c"]),
        ("m.jsonl", '{"id": "a", "audio": "a.wav"}\n{\n{"id": "c"}\n{"id": "d", "audio": "d.wav"}\n', ["line 2", "c"]),
        ("m.scp", "a a.wav\nb\na c.wav\nd d.wav\n", ["b", "a"]),
        ("m.jsonl", r'{"audio": "a.wav"}{"audio": "b.wav", "text": "\u0000"}'
         r'{"id": "c", "audio": "c.wav", "text": "\ud800"}{"audio": "d.wav"}'.replace("}", "}\n"), ["b", "c"]),
    ],
)  # fmt: skip
def test_scan_manifest_yields_bad_clips(tmp_path: Path, name: str, content: str, ids: list[str]) -> None:
    (tmp_path / name).write_text(content)
    rows = list(scan_manifest(tmp_path / name))
    assert [row.id for row in rows if isinstance(row, Clip)] == ["a", "d"]
    bad = [row for row in rows if isinstance(row, BadClip)]
    assert [row.id for row in bad] == ids
    assert all(re.search(rf"{name}: line \d: ", str(row.error)) for row in bad)


def test_a_damaged_row_keeps_its_id_or_is_called_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("id\taudio\n1\ta.wav\tb\n2\tb.wav\n")
    assert [row.id for row in scan_manifest(tmp_path / "m.tsv")] == ["1", "2"]
    (tmp_path / "m.tsv").write_text("audio\tid\na.wav\t1\t2\nb.wav\t2\n")
    assert [row.id for row in scan_manifest(tmp_path / "m.tsv")] == ["line 2", "2"]
    (tmp_path / "m.jsonl").write_text(
        '{"id": "x", "audio\n{"id": 7, \n{"audio": "b.wav", "start": -1}\n{"audio\n'
    )
    assert [row.id for row in scan_manifest(tmp_path / "m.jsonl")] == ["x", "7", "b", "line 4"]


def test_read_manifest_csv(tmp_path: Path) -> None:
    words = json.dumps(WORDS).replace('"', '""')
    content = f'id,audio,text,words\r\none,sub/a.wav,"a, ""b""\r\nc","{words}"\r\n\r\ntwo,/b.flac,,\r\n'
    clips = [
        Clip("one", tmp_path / "sub/a.wav", text='a, "b"\nc', alignment=ALIGNMENT),
        Clip("two", Path("/b.flac")),
    ]
    for name in ("m.csv", "m", "m.csv.gz"):
        (tmp_path / name).write_bytes(
            gzip.compress(content.encode()) if name.endswith(".gz") else content.encode()
        )
        assert list(read_manifest(tmp_path / name)) == clips
        assert count_clips(tmp_path / name) == 2


def test_tsv_cells_keep_their_quotes(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text('audio\ttext\na.wav\t"a ""b"""\n')
    assert [clip.text for clip in read_manifest(tmp_path / "m.tsv")] == ['"a ""b"""']


@pytest.mark.parametrize("content", [TSV, jsonl()])
def test_read_manifest_with_cr_line_ends(tmp_path: Path, content: str) -> None:
    (tmp_path / "m").write_bytes(content.replace("\n", "\r").encode())
    assert list(read_manifest(tmp_path / "m")) == expected(tmp_path)


def test_read_manifest_of_nemo(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(
        '{"audio_filepath": "a.wav", "duration": 2.5, "text": "a"}\n'
        '{"audio_filepath": "a.wav", "offset": 2.5, "duration": 1.25, "text": "b"}\n'
        '{"audio_filepath": "/b.wav", "offset": 10.0, "duration": 1, "text": "c"}\n'
    )
    assert list(read_manifest(tmp_path / "m.json")) == [
        Clip("a", tmp_path / "a.wav", None, 2.5, "a"),
        Clip("a@2.5", tmp_path / "a.wav", 2.5, 3.75, "b"),
        Clip("b@10", Path("/b.wav"), 10.0, 11.0, "c"),
    ]


def test_read_manifest_of_lhotse(tmp_path: Path) -> None:
    cut = {
        "id": "cut-1",
        "start": 1.5,
        "duration": 2.0,
        "channel": 0,
        "supervisions": [{"id": "s", "start": 0.0, "duration": 2.0, "text": "a b", "speaker": "bob",
                          "alignment": {"word": [["a", 0.0, 0.5], ["b", 0.5, 0.5, None]]}}],
        "recording": {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}]},
        "type": "MonoCut",
    }  # fmt: skip
    (tmp_path / "cuts.jsonl").write_text(json.dumps(cut) + "\n")
    assert list(read_manifest(tmp_path / "cuts.jsonl")) == [
        Clip("cut-1", tmp_path / "a.wav", 1.5, 3.5, "a b", "bob", ALIGNMENT)
    ]


def test_a_line_that_is_not_text_or_too_long_costs_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spiritlm_cli.text_files.MAX_LINE", 100)
    rows = b"audio\ttext\na.wav\ta\nb.wav\t\xff\nc.wav\t" + b"x" * 100_000 + b"\nd.wav\td\n"
    (tmp_path / "m.tsv.gz").write_bytes(gzip.compress(rows))
    clips = list(scan_manifest(tmp_path / "m.tsv.gz"))
    assert [clip.id for clip in clips] == ["a", "line 3", "line 4", "d"]
    assert [str(clip.error).partition("line ")[2] for clip in clips if isinstance(clip, BadClip)] == [
        "3: not UTF-8 text",
        "4: longer than 0 MiB, the longest line that is read",
    ]


def test_paths_in_a_pipe_are_relative_to_the_current_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "m.tsv").write_text("audio\na.wav\n")
    for path in (
        tmp_path / "pipe",
        Path("/dev/stdin"),
        Path("/dev/fd/63"),
        Path("/proc/self/fd/0"),
        Path("-"),
    ):
        assert folder_of(path) == Path()
    for path in (tmp_path / "m.tsv", tmp_path / "none.tsv"):
        assert folder_of(path) == tmp_path
    assert folder_of(Path("/dev/shm/m.tsv")) == Path("/dev/shm")


def test_read_manifest_yields_clips_before_an_invalid_row(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("audio\na.wav\nb.wav\tx\n")
    clips = read_manifest(tmp_path / "m.tsv")
    assert next(clips).id == "a"
    with pytest.raises(ManifestError, match="line 3: 2 columns, but line 1 names 1"):
        next(clips)


BROKEN: list[tuple[str, str | bytes, str]] = [
    ("m.tsv", "", "empty"),
    ("m.tsv", "id\tpath\n", "line 1: no column is named audio, only: id, path"),
    ("m.tsv", "id\taudio\nx\ta\nx\tb\n", "line 3: duplicate id 'x'"),
    ("m.tsv", "id\taudio\nx\t\n", "line 2: audio is not a path"),
    ("m.tsv", "audio\tstart\na\tsoon\n", "line 2: start is not a number of seconds: 'soon'"),
    ("m.tsv", "audio\tstart\na\tnan\n", "line 2: start is not a number of seconds"),
    ("m.tsv", "audio\tend\na\t-1\n", "line 2: end is not a number of seconds: '-1'"),
    ("m.tsv", "audio\tstart\tend\na\t2\t1\n", "line 2: end (1) is not after start (2)"),
    ("m.tsv", "audio\twords\na\t[\n", "line 2: words is not JSON"),
    ("m.tsv", b"audio\na\n\xff\n", "line 3: not UTF-8"),
    ("m.tsv", "audio\ttext\taudio\na\tb\tc\n", "line 1: two columns are named 'audio'"),
    ("m.csv", "audio,text,text\na,b,c\n", "line 1: two columns are named 'text'"),
    ("m.tsv", "audio\tbegin\na\t1\n", "line 1: the field 'begin' looks like a time"),
    (
        "m.tsv",
        'audio\twords\na\t"[{""word""}]"\n',
        "words is not JSON; a TSV cell has no quotes around it, a CSV cell may",
    ),
    (
        "m.csv",
        'audio,text\na,"b\nc,d\n',
        "line 2: a quote is not closed; the row goes on to the end of the file",
    ),
    ("m.csv", 'audio,text\na,"b"c\n', "line 2: not CSV"),
    (
        "m.jsonl",
        '{"audio": "a", "audio": "b"}\n',
        "line 1: not JSON (the name 'audio' occurs twice in an object)",
    ),
    ("m.jsonl", '{"audio": "a", "audio_filepath": "b"}\n', "line 1: has both audio and audio_filepath"),
    ("m.jsonl", '{"audio": "a", "stop": 2}\n', "line 1: the field 'stop' looks like a time"),
    (
        "m.jsonl",
        '{"audio": "a", "words": [{"word": "b", "start_ms": 1}]}\n',
        "the field 'start_ms' looks like a time",
    ),
    ("m.jsonl", "{\n", "line 1: not JSON"),
    ("m.jsonl", "[1]\n", "line 1: not a JSON object"),
    ("m.jsonl", "[" * 100_000 + "\n", "line 1: not JSON"),
    ("m.jsonl", '{"audio": ["a"]}\n', "line 1: audio is not text"),
    ("m.jsonl", '{"audio": "a\\u0000b"}\n', "line 1: audio is not a path"),
    ("m.jsonl", '{"audio": "a", "id": "b\\tc"}\n', "line 1: id can't"),
    ("m.jsonl", '{"audio": "a", "id": ""}\n', "line 1: id can't"),
    ("m.jsonl", '{"audio": "a", "text": true}\n', "line 1: text is not text"),
    ("m.jsonl", '{"audio": "a", "start": true}\n', "line 1: start is not a number"),
    ("m.jsonl", '{"audio": "a", "words": {}}\n', "line 1: words is not a list"),
    ("m.jsonl", '{"audio": "a", "words": [{"word": "b", "start": 0}]}\n', "line 1: word 1: 'b' has no end"),
    (
        "m.jsonl",
        '{"audio": "a", "words": [{"word": "b", "start": 1, "end": 0}]}\n',
        "line 1: word 1: 'b' begins at 1 s and ends at 0 s",
    ),
    ("wav.scp", "one\n", "line 1: not 'id path'"),
    ("wav.scp", "one sox x.wav -t wav - |\n", "line 1: a command, which is not run"),
    ("m.tsv.gz", b"audio\n", "gzip data is cut off or damaged"),
    ("m.tsv.gz", gzip.compress(b"audio\na\n")[:-12], "gzip data is cut off or damaged"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN, ids=[message for *_, message in BROKEN])
def test_read_manifest_errors(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ManifestError) as caught:
        list(read_manifest(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_manifests(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.tsv: no such file"):
        list(read_manifest(tmp_path / "none.tsv"))
    with pytest.raises(ManifestError, match="can't be read"):
        list(read_manifest(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.tsv", TSV),
        ("m", TSV.replace("\n", "\r\n\r\n")),
        ("m.csv", "audio,text\na,'b\nc\n\"d\n"),
        ("m.tsv", "id\taudio\nx\ta\nx\tb\nb\n"),
        ("m.jsonl", jsonl() + "\n{\n \n[]"),
        ("m", jsonl()),
        ("wav.scp", "one a.wav\ntwo\n\none sox |\n"),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_count_clips_equals_scan_manifest(tmp_path: Path, name: str, content: str, gzipped: bool) -> None:
    path = tmp_path / (name + ".gz" * gzipped)
    path.write_bytes(gzip.compress(content.encode()) if gzipped else content.encode())
    assert count_clips(path) == len(list(scan_manifest(path)))
    assert count_clips(str(path)) == len(list(scan_manifest(path)))


def test_count_clips_errors(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^stdin: can be read only once"):
        count_clips("-")
    os.mkfifo(tmp_path / "m.tsv")
    with pytest.raises(ManifestError, match=r"m\.tsv: can be read only once"):
        count_clips(tmp_path / "m.tsv")
    with pytest.raises(ManifestError, match=r"none\.tsv: no such file"):
        count_clips(tmp_path / "none.tsv")
    (tmp_path / "x.tsv").write_text("path\na\n")
    with pytest.raises(ManifestError, match="no column is named audio"):
        count_clips(tmp_path / "x.tsv")
    with pytest.raises(ManifestError, match="can't be read"):
        count_clips(tmp_path)
