import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, CheckpointError
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.jobs.tokenize import TokenizeOptions, run


def test_run_from_python_skips_and_resumes(small: dict[str, str], manifest: Path, tmp_path: Path) -> None:
    output = tmp_path / "tokens.txt"
    stops = TokenizeOptions(manifest=str(manifest), output=output, units="base", **small)
    with pytest.raises(AudioError, match=r"gone\.wav"):
        run(stops)
    assert (tmp_path / "tokens.txt.part").read_text().startswith("a\t[SPEECH]")
    skips = TokenizeOptions(
        manifest=str(manifest), output=output, units="base", on_error="skip", resume=True, **small
    )
    assert run(skips) == Summary(inputs=3, failed=1)
    first, bad, last = output.read_text().splitlines()
    assert (bad, first[2:]) == ("bad\t", last[2:])
    assert run(skips) == Summary()


def test_jsonl_of_a_bad_row_names_no_audio_and_ids_can_be_dropped(
    small: dict[str, str], short: Path, tmp_path: Path
) -> None:
    (tmp_path / "clips.tsv").write_text(f"id\taudio\tstart\tend\na\t{short}\t\t\nbad\t{short}\t2\t1\n")
    for ids in (None, False):
        output = tmp_path / f"{ids}.jsonl"
        options = TokenizeOptions(
            manifest=str(tmp_path / "clips.tsv"),
            format="jsonl",
            output=output,
            on_error="skip",
            ids=ids,
            **small,
        )
        assert run(options).failed == 1
        good, bad = (json.loads(line) for line in output.read_text().splitlines())
        assert good["audio"] == str(short)
        assert list(good)[-3:] == ["hubert", "pitch", "style"]
        assert bad == ({"id": "bad"} if ids is None else {})
        assert ("id" in good) == (ids is None)


def test_twist_needs_no_further_options(
    twist_folder: Path, recording_file: Path, data: Path, tmp_path: Path
) -> None:
    answer = json.loads((data / "open_models.json").read_text())["units"]["medium"]
    rate = 16000
    (tmp_path / "clips.tsv").write_text(
        "id\taudio\tstart\tend\n"
        f"medium\t{recording_file}\t{answer['first_sample'] / rate}\t{answer['last_sample'] / rate}\n"
    )
    output, given = tmp_path / "tokens.txt", str(tmp_path / "clips.tsv")
    options = TokenizeOptions(
        manifest=given, model=str(twist_folder), device="cpu", header=True, output=output
    )
    assert run(options) == Summary(inputs=1)
    header, line = output.read_text().splitlines()
    assert header.startswith("#spiritlm 1 model=twist tokenizer=")
    assert line == "medium\t[SPEECH]" + "".join(f"[Hu{unit}]" for unit in answer["deduplicated"])
    # The tokenizer of one model in another one.
    mixed = TokenizeOptions(
        manifest=given,
        model="nano",
        tokenizer=str(twist_folder),
        device="cpu",
        header=True,
        output=tmp_path / "2",
    )
    assert run(mixed) == Summary(inputs=1)
    assert (tmp_path / "2").read_bytes() == output.read_bytes()


def test_twist_has_no_expressive_units(twist_folder: Path, short: Path, tmp_path: Path) -> None:
    options = TokenizeOptions(audio=(str(short),), model=str(twist_folder), units="expressive", device="cpu")
    with pytest.raises(CheckpointError, match=r"twist has no (style|pitch) units; .* --units base"):
        run(options)
