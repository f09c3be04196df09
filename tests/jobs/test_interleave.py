import re
from pathlib import Path

from spiritlm_cli.jobs.interleave import InterleaveOptions, run
from spiritlm_cli.jobs.run import Summary


def test_run_from_python_gives_the_same_lines_for_the_same_seed(
    small: dict[str, str], manifest: Path, tmp_path: Path
) -> None:
    written = []
    for name in ("one.txt", "two.txt"):
        output = tmp_path / name
        options = InterleaveOptions(
            manifest=str(manifest), text_words=(2, 4), speech_words=(2, 4), copies=2, seed=5, on_error="skip",
            output=output, **small,
        )  # fmt: skip
        assert run(options) == Summary(inputs=3, failed=1)
        written.append(output.read_text())
    assert written[0] == written[1]
    names = [line.partition("\t")[0] for line in written[0].splitlines()]
    assert names == ["a#0", "a#1", "bad#0", "bad#1", "b#0", "b#1"]


def test_twist_needs_no_further_options(twist_folder: Path, recording_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "lines.txt"
    (tmp_path / "clips.tsv").write_text(
        f"id\taudio\tend\ttext\nb\t{recording_file}\t3\tand a strip of cow skin for a belt to hold it in.\n"
    )
    options = InterleaveOptions(
        manifest=str(tmp_path / "clips.tsv"), mode="tts", seed=0, model=str(twist_folder), device="cpu",
        output=output,
    )  # fmt: skip
    assert run(options) == Summary(inputs=1)
    text, _, speech = output.read_text().partition("[SPEECH]")
    assert "cow skin" in text
    assert set(re.sub(r"\d+", "", speech.strip()).split("]")) == {"[Hu", ""}
