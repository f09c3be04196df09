from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.few_shot import Example, FewShot, fit_examples, load_task
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.units import Kind

LINES = [parse_line(f"{name}\t[SPEECH][Hu{n}][TEXT]word {n}") for n, name in enumerate("abcdef")]
EXAMPLES = [*map(Example.of, LINES)]
QUESTION = parse_line("q\t[SPEECH][Hu7]")


@pytest.fixture
def task() -> Task:
    return Task.load("asr")


def examples_of(few_shot: FewShot, key: str = "q") -> tuple[Sequence, ...]:
    return few_shot.prompt(QUESTION, key).examples


def test_prompt_takes_the_first_examples(task: Task) -> None:
    assert examples_of(FewShot(task, EXAMPLES, 2)) == tuple(map(task.build_example, LINES[:2]))
    assert len(examples_of(FewShot(task, EXAMPLES))) == 6
    assert examples_of(FewShot(task, EXAMPLES, 0)) == ()
    with pytest.raises(TokenError, match="6 examples besides the line itself"):
        FewShot(task, EXAMPLES, 7).prompt(QUESTION, "q")


def test_shuffle_draws_by_seed_and_key(task: Task) -> None:
    few_shot = FewShot(task, EXAMPLES, 3, shuffle=True, seed=1)
    drawn = {key: examples_of(few_shot, key) for key in map(str, range(20))}
    assert drawn == {key: examples_of(few_shot, key) for key in drawn}
    assert len(set(drawn.values())) > 10
    other = FewShot(task, EXAMPLES, 3, shuffle=True, seed=2)
    assert drawn != {key: examples_of(other, key) for key in drawn}


def test_prompt_never_has_the_speaker_of_the_line(task: Task) -> None:
    speakers = ["one", "two", None, "one", "two", "one"]
    examples = [
        Example(line.id, name, lambda line=line: line) for line, name in zip(LINES, speakers, strict=True)
    ]
    few_shot = FewShot(task, examples, 2)
    for speaker, expected in (("one", "bc"), ("two", "ac"), ("other", "ab"), (None, "ab")):
        lines = [line for line in LINES if line.id in expected]
        assert few_shot.prompt(QUESTION, "q", speaker).examples == tuple(map(task.build_example, lines))
    assert FewShot(task, examples, 3).prompt(QUESTION, "q", "one").examples[2] == task.build_example(LINES[4])
    with pytest.raises(TokenError, match=r"3 examples besides the line itself.*; 3 more are of its speaker"):
        FewShot(task, examples, 4).prompt(QUESTION, "q", "one")


def test_fit_examples_keeps_the_first_ones(task: Task) -> None:
    vocabulary = load_vocabulary(find_checkpoint("nano").language_model(True))
    prompt = FewShot(task, EXAMPLES).prompt(QUESTION, "q")
    length = len(prompt.encode(vocabulary))
    assert fit_examples(prompt, vocabulary, length) == prompt
    assert fit_examples(prompt, vocabulary, length - 1).examples == prompt.examples[:5]
    assert fit_examples(prompt, vocabulary, 1).examples == ()


def test_context_is_that_of_the_task(task: Task) -> None:
    assert FewShot(task, []).context(2048) == 1024
    assert FewShot(task, []).context(256) == 256
    assert FewShot(Task.load("intent"), []).context(4096) == 4096


def test_sampling_adds_the_defaults_of_the_task(task: Task) -> None:
    few_shot = FewShot(task, EXAMPLES)
    template = task.template
    default = few_shot.sampling(Sampling(), max_new_tokens=None, greedy=None)
    assert (default.max_new_tokens, default.greedy) == (template.max_new_tokens, template.greedy)
    assert default.stop == template.end_texts
    chosen = few_shot.sampling(Sampling(stop=("x",)), max_new_tokens=7, greedy=False)
    assert (chosen.max_new_tokens, chosen.greedy) == (7, False)
    assert chosen.stop == ("x", *template.end_texts)
    # with a limit in seconds, the task's limit in tokens does not apply
    assert few_shot.sampling(Sampling(max_seconds=3.0), None, None).max_new_tokens is None


def test_load_task_encodes_the_sounds_of_a_template(tmp_path: Path, recording_file: Path) -> None:
    template = tmp_path / "mine.yaml"
    template.write_text(
        'example: "{text}"\nquestion: "{text}[SPEECH]"\nto: speech\nend: ["{stop}"]\n'
        f"sounds: {{stop: '{recording_file}'}}\n"
    )
    task = load_task(str(template), find_checkpoint("nano"), expressive=True, device="cpu")
    stop_units = task.add_stops(Sampling()).stop_units
    assert len(stop_units) > 10
    line = parse_line("[TEXT]a")
    assert task.build_prompt(line).ends_in == "speech"
    sound = task._sounds["stop"]
    assert stop_units == tuple(unit.id for unit in sound.units if unit.kind is Kind.HUBERT)
