"""`train prepare`, and `train lm --data` of what it writes."""

import gzip
import json
from pathlib import Path

import pytest
from training_fixtures import assert_same_weights, language_model_options

from spiritlm_cli.errors import CheckpointError, ManifestError, TokenError
from spiritlm_cli.training import prepare as module
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.prepare import prepare
from spiritlm_cli.training.prepare_options import PrepareOptions
from spiritlm_cli.training.prepared import INDEX, read_prepared

WEIGHTS = Path("spiritlm_model", "spirit-lm-expressive-7b", "model.safetensors")


def options(output: Path, **changes: object) -> PrepareOptions:
    return PrepareOptions(output=output, workers=1, **changes)  # type: ignore[arg-type]


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, ...]:
    """Seven documents in a file and in a folder of gzipped ones."""
    (tmp_path / "text").mkdir()
    (tmp_path / "one.txt").write_text("1\r\n2\n\n3\n")
    for name, content in (("a", "4\n5"), ("b", "6\n7\n")):
        (tmp_path / "text" / f"{name}.txt.gz").write_bytes(gzip.compress(content.encode()))
    return tmp_path / "one.txt", tmp_path / "text"


def test_prepare_writes_shards(
    texts: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 3)
    prepare(options(tmp_path / "data", text=texts))
    names = {path.name for path in (tmp_path / "data").iterdir()}
    assert names == {INDEX, "text-00000.arrow", "text-00001.arrow", "text-00002.arrow"}
    assert list(read_prepared(tmp_path / "data").texts) == list("1234567")


def test_prepare_resumed_keeps_finished_shards(
    texts: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 3)
    data = tmp_path / "data"
    prepare(options(data, text=texts))
    before = {path.name: path.read_bytes() for path in data.glob("*.arrow")}
    # as an interruption leaves it
    (data / INDEX).rename(tmp_path / INDEX)
    (data / "prepared.part.json").write_text(json.dumps(json.loads((tmp_path / INDEX).read_text())["inputs"]))
    (data / "text-00001.arrow").unlink()
    with pytest.raises(ManifestError, match=r"has no prepared\.json"):
        read_prepared(data)
    with pytest.raises(CheckpointError, match="give --resume to continue"):
        prepare(options(data, text=texts))
    kept = (data / "text-00000.arrow").stat().st_mtime_ns
    prepare(options(data, text=texts, resume=True))
    assert {path.name: path.read_bytes() for path in data.glob("*.arrow")} == before
    assert (data / "text-00000.arrow").stat().st_mtime_ns == kept
    assert (data / INDEX).read_bytes() == (tmp_path / INDEX).read_bytes()
    with pytest.raises(CheckpointError, match="nothing to resume"):
        prepare(options(data, text=texts, resume=True))


def test_prepare_refuses_to_resume_with_other_inputs(texts: tuple[Path, ...], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "prepared.part.json").write_text("{}")
    with pytest.raises(CheckpointError, match="begun with other inputs"):
        prepare(options(data, text=texts, resume=True))
    (data / "text-00000.arrow").touch()
    with pytest.raises(CheckpointError, match="give the same inputs and --resume to continue"):
        prepare(options(data, text=texts))
    prepare(options(data, text=texts, overwrite=True))
    prepare(options(data, text=texts[:1], overwrite=True))
    assert list(read_prepared(data).texts) == list("123")


def test_prepare_reports_lines_that_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"a\t[SPEECH][Hu1]\n" + b"\xff\n" * 12)
    prepare(options(tmp_path / "data", lines=(path,)))
    messages = capsys.readouterr().err
    assert messages.count("left out:") == 10
    assert "12 lines and clips are left out" in messages
    assert "1 token lines" in messages
    path.write_bytes(b"\xff\n")
    with pytest.raises(ManifestError, match="nothing in the inputs"):
        prepare(options(tmp_path / "other", lines=(path,)))
    assert not list((tmp_path / "other").iterdir())


def test_prepare_checks_units_before_it_writes(tmp_path: Path) -> None:
    units, text = tmp_path / "units.jsonl", tmp_path / "text.txt"
    units.write_text('{"id": "a", "hubert": "1"}\n' * 2)
    text.write_text("a\n")
    with pytest.raises(ManifestError, match="line 2: a second line"):
        prepare(options(tmp_path / "data", text=(text,), manifest=text, units=units))
    assert not (tmp_path / "data").exists()


def test_prepare_with_workers_writes_the_same(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{i}\t[SPEECH][Hu{i % 500}]\n" for i in range(600)))
    folders = [tmp_path / "one", tmp_path / "two"]
    for workers, folder in enumerate(folders, 1):
        prepare(PrepareOptions(output=folder, lines=(path,), workers=workers))
    one, two = ((folder / "lines-00000.arrow").read_bytes() for folder in folders)
    assert one == two


def test_train_on_prepared_data_equals_training_on_files(corpus: Path, tmp_path: Path) -> None:
    prepare(
        options(
            tmp_path / "data",
            manifest=corpus / "clips.jsonl",
            units=corpus / "units.jsonl",
            text=(corpus / "labels.txt",),
        )
    )
    settings = {"device": "cpu", "bf16": False, "steps": 2, "context": 48}
    train(language_model_options(corpus, tmp_path / "files", **settings))
    prepared = {"data": (tmp_path / "data",), "manifest": None, "units": None, "text": ()}
    train(language_model_options(corpus, tmp_path / "prepared", **settings, **prepared, workers=1))
    assert_same_weights(tmp_path / "files" / WEIGHTS, tmp_path / "prepared" / WEIGHTS)


def test_prepared_units_out_of_range_are_found_before_training(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("[SPEECH][Hu1]\n[SPEECH][Hu501]\n")
    prepare(options(tmp_path / "data", lines=(path,)))
    given = LanguageModelOptions(
        data=(tmp_path / "data",), output=tmp_path / "new", dim=16, layers=1, heads=2, ffn=16, device="cpu"
    )
    with pytest.raises(TokenError, match=r"data: .*lines\.txt: line 2: \[Hu501\]: the model has"):
        train(given)
