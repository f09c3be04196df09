import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, SpiritLMError, TokenError
from spiritlm_cli.jobs.decode import DecodeOptions, run
from spiritlm_cli.jobs.run import Summary

SPEECH = "[SPEECH][St3][Pi5][Hu1][Hu2][Hu3]"


def test_run_from_python_to_a_folder_resumes_and_writes_texts(small: dict[str, str], tmp_path: Path) -> None:
    lines, texts = tmp_path / "lines.txt", tmp_path / "texts.txt"
    lines.write_text(f"a\t[TEXT]hello {SPEECH}\nbad\t[TEXT]no speech\nb\t{SPEECH}\n")
    options = DecodeOptions(
        files=(str(lines),),
        output=f"{tmp_path}/out/",
        durations="keep",
        on_error="skip",
        text_out=texts,
        **small,
    )
    assert run(options) == Summary(inputs=3, failed=1)
    assert texts.read_text() == "a\thello\nbad\tno speech\nb\t\n"
    first = tmp_path / "out" / "a.wav"
    assert len(read_audio(first).samples) == 3 * 640
    before = first.stat().st_mtime_ns
    (tmp_path / "out" / "b.wav").unlink()
    again = DecodeOptions(
        files=(str(lines),),
        output=f"{tmp_path}/out/",
        durations="keep",
        on_error="skip",
        resume=True,
        **small,
    )
    assert run(again) == Summary(inputs=3, failed=1)
    assert (first.stat().st_mtime_ns, (tmp_path / "out" / "b.wav").is_file()) == (before, True)


def test_resume_writes_the_file_that_is_missing_before_others(small: dict[str, str], tmp_path: Path) -> None:
    lines, folder = tmp_path / "lines.txt", tmp_path / "out"
    lines.write_text("".join(f"{name}\t{SPEECH}\n" for name in "abc"))
    options = DecodeOptions(files=(str(lines),), output=f"{folder}/", durations="keep", **small)
    assert run(options) == Summary(inputs=3)
    (folder / "a.wav").unlink()
    before = (folder / "b.wav").stat().st_mtime_ns
    assert run(replace(options, resume=True)) == Summary(inputs=3)
    assert sorted(path.name for path in folder.iterdir()) == ["a.wav", "b.wav", "c.wav"]
    assert (folder / "b.wav").stat().st_mtime_ns == before


def test_run_names_a_voice_that_is_not_there(small: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text(f"{SPEECH}\n")
    options = DecodeOptions(
        files=(str(tmp_path / "lines.txt"),), output=str(tmp_path / "x.wav"), speaker="nobody", **small
    )
    with pytest.raises(SpiritLMError, match="nobody"):
        run(options)
    assert not (tmp_path / "x.wav").exists()


def test_ids_that_cannot_be_file_names_cost_their_lines(small: dict[str, str], tmp_path: Path) -> None:
    names = ["a" * 300, "../b", "c", "C", "d"]
    (tmp_path / "lines").write_text("".join(f"{name}\t{SPEECH}\n" for name in names))
    options = DecodeOptions(
        files=(str(tmp_path / "lines"),), output=f"{tmp_path}/out/", on_error="skip", **small
    )
    assert run(options) == Summary(inputs=5, failed=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["%2E.%2Fb.wav", "c.wav", "d.wav"]


def test_twist_decodes_its_own_units_alone(twist_folder: Path, data: Path, tmp_path: Path) -> None:
    units = json.loads((data / "open_models.json").read_text())["units"]["short"]["deduplicated"]
    header = f"#spiritlm 1 model=twist tokenizer={find_checkpoint(str(twist_folder)).fingerprint()}\n"
    lines, output = tmp_path / "lines.txt", tmp_path / "out.wav"
    lines.write_text(header + "[SPEECH]" + "".join(f"[Hu{unit}]" for unit in units) + "\n")
    options = DecodeOptions(
        files=(str(lines),), output=str(output), model=str(twist_folder), device="cpu", bits="float"
    )
    assert run(options) == Summary(inputs=1)
    samples = read_audio(output).samples
    expected = np.load(data / "open_models.npz")["short/predict"]
    assert samples.shape == expected.shape
    assert np.abs(samples - expected).max() < 1e-4
    with pytest.raises(SpiritLMError, match="no speaker 1: this vocoder has one speaker, 0"):
        run(replace(options, speaker="1"))
    with pytest.raises(TokenError, match=r"tokens of twist .* noise to nano"):
        run(replace(options, model="nano"))
    with pytest.raises(CheckpointError, match="the vocoder of twist takes the units of twist"):
        run(replace(options, model="nano", vocoder=str(twist_folder)))
