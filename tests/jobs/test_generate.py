from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.jobs.generate import GenerateOptions, run, sampling_of
from spiritlm_cli.jobs.run import Summary


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("a\t[TEXT]the cat\nb\t[Hu01]\nc\t[SPEECH][Hu1]\n")
    return path


def test_run_from_python_resumes_with_the_seed_of_the_journal(
    small: dict[str, str], prompts: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.txt"
    with pytest.raises(TokenError, match=r"prompts\.txt: line 2"):
        run(GenerateOptions(files=(str(prompts),), output=output, max_new_tokens=5, num_samples=2, **small))
    begun = (tmp_path / "out.txt.part").read_text()
    prompts.write_text("a\t[TEXT]the cat\nb\t[Hu2]\nc\t[SPEECH][Hu1]\n")
    summary = run(GenerateOptions(files=(str(prompts),), output=output, resume=True, **small))
    assert summary == Summary(inputs=3)
    lines = output.read_text().splitlines()
    assert [line.partition("\t")[0] for line in lines] == ["a#0", "a#1", "b#0", "b#1", "c#0", "c#1"]
    assert output.read_text().startswith(begun)


def test_run_with_a_task_and_examples(small: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "examples.txt").write_text("[SPEECH][Hu1][Hu2][TEXT]the cat\n[SPEECH][Hu3][TEXT]a dog\n")
    (tmp_path / "in.txt").write_text("q\t[SPEECH][Hu1][Hu3]\n")
    output = tmp_path / "out.txt"
    options = GenerateOptions(
        files=(str(tmp_path / "in.txt"),), task="asr", examples=str(tmp_path / "examples.txt"), shots=2,
        max_new_tokens=4, output=output, units="base", **small,
    )  # fmt: skip
    assert run(options) == Summary(inputs=1)
    assert output.read_text().startswith("q\t")


def test_run_with_a_text_tokenizer(open_language_models: Path, tmp_path: Path) -> None:
    (tmp_path / "examples.txt").write_text(
        "[SPEECH][Hu1][Hu2][TEXT]the cat <Un3>\n[SPEECH][Hu3][TEXT]a dog\n"
    )
    (tmp_path / "in.txt").write_text("q\t[SPEECH][Hu1][Hu3]\n")
    options = GenerateOptions(
        files=(str(tmp_path / "in.txt"),), task="asr", examples=str(tmp_path / "examples.txt"), shots=2,
        max_new_tokens=4, output=tmp_path / "out.txt", model=str(open_language_models / "sims-qwen"), device="cpu",
        text_tokenizer=str(open_language_models / "text-qwen"),
    )  # fmt: skip
    assert run(options) == Summary(inputs=1)
    assert (tmp_path / "out.txt").read_text().startswith("q\t[TEXT]")


def test_stream_writes_what_a_batch_writes(small: dict[str, str], prompts: Path, tmp_path: Path) -> None:
    written = []
    for stream in (False, True):
        output = tmp_path / f"{stream}.txt"
        options = GenerateOptions(
            files=(str(prompts),),
            output=output,
            stream=stream,
            seed=3,
            max_new_tokens=6,
            on_error="skip",
            **small,
        )
        assert run(options) == Summary(inputs=3, failed=1)
        written.append(output.read_text())
    assert written[0] == written[1]


def test_sampling_of_names_values_that_cannot_be_used() -> None:
    assert sampling_of(GenerateOptions(top_p=0.5, stop=("x",), seed=4)).top_p == 0.5
    with pytest.raises(OptionError):
        sampling_of(GenerateOptions(stop=("",)))


def test_run_refuses_text_of_a_model_of_speech_alone(open_language_models: Path, tmp_path: Path) -> None:
    prompts, output = tmp_path / "prompts.txt", tmp_path / "out.txt"
    prompts.write_text("[Hu1]\n")
    model = str(open_language_models / "slam-qwen")
    with pytest.raises(OptionError, match="speech units alone: it can't generate text") as caught:
        run(GenerateOptions(files=(str(prompts),), output=output, lm=model, to="text"))
    assert caught.value.option == "--to"
    assert not list(tmp_path.glob("out*"))
