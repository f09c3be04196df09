from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.jobs.few_shot import load_few_shot
from spiritlm_cli.jobs.options import GenerateOptions


def options(small: dict[str, str], tmp_path: Path, lines: str, **changes: object) -> GenerateOptions:
    path = tmp_path / "examples.txt"
    path.write_text(lines)
    return GenerateOptions(task="asr", examples=str(path), units="base", **small, **changes)  # type: ignore[arg-type]


def test_load_few_shot_reads_examples_in_order(small: dict[str, str], tmp_path: Path) -> None:
    lines = "[SPEECH][Hu1][TEXT]the cat\n[SPEECH][Hu2][TEXT]a dog\n"
    few_shot = load_few_shot(options(small, tmp_path, lines, shots=1, shuffle=True, seed=4))
    assert [example.load().sequence.text for example in few_shot.examples] == ["the cat", "a dog"]


@pytest.mark.parametrize(
    ("lines", "shots", "message"),
    [
        ("[SPEECH][Hu1][TEXT]x\n[TEXT]no speech\n", 1, r"examples\.txt: line 2: "),
        ("[SPEECH][Hu9999][TEXT]x\n", 1, r"examples\.txt: line 1: "),
        ("[SPEECH][Hu1][TEXT]x\n", 3, "1 examples, not the 3"),
    ],
)
def test_load_few_shot_names_an_example_that_cannot_be_used(
    small: dict[str, str], tmp_path: Path, lines: str, shots: int, message: str
) -> None:
    with pytest.raises(TokenError, match=message):
        load_few_shot(options(small, tmp_path, lines, shots=shots))


def test_examples_of_recordings_are_tokenized(small: dict[str, str], short: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "clips.tsv"
    manifest.write_text(f"id\taudio\ttext\tspeaker\na\t{short}\tthe cat\tann\n")
    few_shot = load_few_shot(GenerateOptions(task="asr", examples=str(manifest), units="base", **small))  # type: ignore[arg-type]
    (example,) = few_shot.examples
    assert (example.id, example.speaker) == ("a", "ann")
    assert example.load().sequence.text == "the cat"
    assert example.load() is example.load()
    manifest.write_text(f"id\taudio\na\t{short}\n")
    with pytest.raises(ManifestError, match="a: has no text"):
        load_few_shot(GenerateOptions(task="asr", examples=str(manifest), **small))  # type: ignore[arg-type]
