import fcntl
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soundfile

from spiritlm_cli.errors import AudioError, ManifestError, TokenError
from spiritlm_cli.jobs.inspect_inputs import inspect_inputs, new_inspector
from spiritlm_cli.jobs.options.inspect import InputOptions
from spiritlm_cli.tokens.writer import format_sequence


def read(options, words=False):
    return inspect_inputs(options, new_inspector(options), words)


def show(small, **options):
    """The ids and sequences of inputs, or the errors in their place."""
    found = []
    for item, outcome in read(InputOptions(**small, **options)):
        try:
            one = outcome.result()
            found.append((one.id, one.source, format_sequence(one.sequence)))
        except TokenError:
            found.append((item.id, "error"))
    return found


def test_token_lines(small, mixed_lines):
    assert show(small, inputs=(mixed_lines,)) == [
        ("a", mixed_lines, "[SPEECH][St1][Pi1][Hu1][Pi2][Hu2][Pi3][Hu3]"),
        ("b", "error"),
        ("c", mixed_lines, "[TEXT]the cat"),
    ]


def test_audio_and_token_lines_in_the_order_given(small, mixed_lines, short, monkeypatch):
    monkeypatch.chdir(short.parent)
    found = show(small, inputs=(mixed_lines, str(short), mixed_lines, str(short.parent)))
    assert [one[0] for one in found] == ["a", "b", "c", "short", "a", "b", "c", "short"]
    assert found[3][2] == found[7][2]
    assert found[3][2].startswith("[SPEECH][St")


def test_manifest(small, manifest):
    outcomes = list(read(InputOptions(**small, manifest=str(manifest))))
    assert [item.id for item, _ in outcomes] == ["a", "bad", "b"]
    with pytest.raises(AudioError, match="no such file"):
        outcomes[1][1].result()


@pytest.mark.parametrize("kind", ["audio", "lines"])
def test_stdin(small, short, mixed_lines, monkeypatch, kind):
    content = Path(short if kind == "audio" else mixed_lines).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    ids = [one[0] for one in show(small, inputs=("-",))]
    assert ids == (["stdin"] if kind == "audio" else ["a", "b", "c"])


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="pipes that keep writes apart are Linux's")
@pytest.mark.parametrize("kind", ["audio", "lines"])
def test_pipe_whose_first_read_returns_few_bytes(small, short, mixed_lines, tmp_path, kind):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = Path(short if kind == "audio" else mixed_lines).read_bytes()

    def write():
        writing = os.open(path, os.O_WRONLY)
        # Each read returns what one write wrote.
        fcntl.fcntl(writing, fcntl.F_SETFL, os.O_DIRECT)
        for part in [content[:3], *(content[i : i + 4096] for i in range(3, len(content), 4096))]:
            os.write(writing, part)
        os.close(writing)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        ids = [one[0] for one in show(small, inputs=(str(path),))]
        writer.result()
    assert ids == (["pipe"] if kind == "audio" else ["a", "b", "c"])


def test_words_of_an_alignment(small, short, tmp_path):
    words = tmp_path / "words.jsonl"
    row = {
        "id": "short",
        "audio": "x.wav",
        "text": "hello",
        "words": [{"word": "hello", "start": 0.1, "end": 0.3}],
    }
    words.write_text(json.dumps(row) + "\n")
    options = InputOptions(**small, inputs=(str(short.parent),), alignments=words)
    (inspected,) = (outcome.result() for _, outcome in read(options, words=True))
    assert [(word.word, word.start, word.end) for word in inspected.words] == [("hello", 0.1, 0.3)]


def test_a_clip_whose_words_cannot_be_found_is_shown_without(small, short, tmp_path, caplog):
    words = tmp_path / "words.jsonl"
    words.write_text('{"id": "other", "audio": "x.wav", "words": []}\n')
    options = InputOptions(**small, inputs=(str(short.parent),), alignments=words)
    (inspected,) = (outcome.result() for _, outcome in read(options, words=True))
    assert inspected.words == ()
    assert "short: shown without words" in caplog.text


def test_a_file_with_a_beginning_of_audio_and_no_suffix(small, short, tmp_path):
    samples, rate = soundfile.read(short)
    path = tmp_path / "recording"
    soundfile.write(path, samples, rate, format="WAV")
    assert show(small, inputs=(str(path),))[0][0] == "recording"


def test_texts_are_read_only_if_words_are_asked_for(small, manifest: Path) -> None:
    options = InputOptions(**small, manifest=str(manifest), aligner="none", units="base")
    [(_, outcome), *_] = read(options, words=True)
    found = outcome.result()
    assert found.text == "and a strip of cow skin for a belt to hold it in."
    assert found.words == ()


def test_new_inspector_keeps_repeats(small, short: Path) -> None:
    options = InputOptions(**small, inputs=(str(short),), units="base")
    [(_, outcome)] = inspect_inputs(options, new_inspector(options, keep_repeats=True))
    found = outcome.result()
    assert len(found.sequence.speech[0].units) == found.timeline.lanes[0].counts.sum()
    assert not found.timeline.predicted


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize("content", [PNG, b"PK\3\4\x14\0\0\0\b\0", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81"])
def test_other_data_is_neither_audio_nor_token_lines(small, short, tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    [(item, outcome), (_, other)] = read(InputOptions(**small, inputs=(str(path), str(short))), words=True)
    assert item.id == str(path)
    with pytest.raises(ManifestError, match=r"x\.png: neither audio nor token lines"):
        outcome.result()
    assert other.result().id


def test_other_data_on_stdin(small, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PNG)))
    [(_, outcome)] = read(InputOptions(**small, inputs=("-",)))
    with pytest.raises(ManifestError, match=r"^stdin: neither audio nor token lines"):
        outcome.result()


def test_a_line_in_another_encoding_is_an_error_of_its_line(small, tmp_path):
    path = tmp_path / "lines"
    path.write_bytes("Zoë\t[TEXT]a\nb\t[TEXT]b\n".encode("latin-1"))
    (_, bad), (_, good) = read(InputOptions(**small, inputs=(str(path),)))
    with pytest.raises(TokenError, match="byte 0xeb is not UTF-8"):
        bad.result()
    assert good.result().id == "b"
