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
