from pathlib import Path

import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.jobs.score import GenerateOptions, run


def test_run_scores_lines_after_their_contexts(small: dict[str, str], tmp_path: Path) -> None:
    lines, given, output = (tmp_path / name for name in ("lines.txt", "given.txt", "out.txt"))
    lines.write_text("a\t[TEXT]the cat\nb\t[SPEECH][Hu1][Hu2]\n")
    given.write_text("[TEXT]a\n[TEXT]b\n")
    alone = GenerateOptions(files=(str(lines),), score=True, output=output, **small)
    assert run(alone) == Summary(inputs=2)
    scores = [line.split("\t") for line in output.read_text().splitlines()]
    assert [row[0] for row in scores] == ["a", "b"]
    assert all(float(row[1]) / int(row[2]) == pytest.approx(float(row[3]), abs=1e-5) for row in scores)
    after = GenerateOptions(files=(str(lines),), score=True, given=str(given), output=output, **small)
    assert run(after) == Summary(inputs=2)
    assert output.read_text().splitlines()[0].split("\t") != scores[0]


def test_run_refuses_another_number_of_contexts(small: dict[str, str], tmp_path: Path) -> None:
    lines, given = tmp_path / "lines.txt", tmp_path / "given.txt"
    lines.write_text("[TEXT]x\n[TEXT]y\n")
    for contexts, message in (("[TEXT]a\n", "end before it"), ("[TEXT]a\n" * 3, "more lines than")):
        given.write_text(contexts)
        options = GenerateOptions(
            files=(str(lines),), score=True, given=str(given), output=tmp_path / "o", **small
        )
        with pytest.raises(TokenError, match=message):
            run(options)
