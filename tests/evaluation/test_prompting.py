from pathlib import Path

import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.evaluation.prompting import Asked, Prompted, Prompter, Question, prompting_notes
from spiritlm_cli.language.few_shot import Example, FewShot
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

LINES = [parse_line(f"{name}\t[SPEECH]{'[Hu5]' * 40}[TEXT]word {name}") for name in "abcd"]
QUESTION = parse_line(f"q\t[SPEECH]{'[Hu7][Hu8]' * 20}")


@pytest.fixture(scope="module")
def prompter(small_release: Path) -> Prompter:
    model = LanguageModel.load(str(small_release), device="cpu")
    few_shot = FewShot(Task.load("asr"), [*map(Example.of, LINES)])
    return Prompter(model, "text", Sampling(greedy=True), few_shot)


def with_context(prompter: Prompter, context: int | None) -> Prompter:
    return Prompter(prompter.language_model, "text", prompter.sampling, prompter.few_shot, context)


def limit_of(prompted: Prompted) -> int | None:
    return prompted.request.sampling.max_new_tokens


def test_prompter_keeps_room_for_the_answer(prompter: Prompter) -> None:
    assert prompter.context_length == 1024
    whole = prompter(Question(QUESTION, "q", room=10, limit=10))
    assert (whole.examples, whole.cut, limit_of(whole)) == (("a", "b", "c", "d"), False, 10)
    length = len(whole.encoded)
    exact = with_context(prompter, length + 10)
    assert exact(Question(QUESTION, "q", room=10)).examples == ("a", "b", "c", "d")
    shorter = exact(Question(QUESTION, "q", room=11))
    assert (shorter.examples, shorter.cut) == (("a", "b", "c"), True)
    # to the end of the context
    assert limit_of(shorter) == length + 10 - len(shorter.encoded)
    assert shorter.to_record() == {
        "prompt_tokens": len(shorter.encoded), "examples": ["a", "b", "c"], "cut": True
    }  # fmt: skip


def test_prompter_lets_a_long_question_use_the_whole_context(prompter: Prompter) -> None:
    model = prompter.language_model.context_length
    long = with_context(prompter, 45)(Question(QUESTION, "q", room=30))
    assert (long.examples, long.cut) == ((), True)
    assert limit_of(long) == model - len(long.encoded)


def test_prompter_without_a_form(prompter: Prompter) -> None:
    plain = Prompter(prompter.language_model, "text", Sampling(greedy=True))
    assert plain.context_length == prompter.language_model.context_length
    prompted = plain(Question(QUESTION, "q", room=5, limit=5))
    assert (prompted.examples, prompted.cut, limit_of(prompted)) == ((), False, 5)
    answer = Sequence.of([TextSpan(" <START Transcript>  x ")])
    assert plain.answer(answer) == answer
    assert prompter.answer(answer).text == "x"


def test_asked_keeps_an_error() -> None:
    def fail() -> Prompted:
        raise TokenError("too few")

    with pytest.raises(TokenError, match="too few"):
        Asked.of("item", fail).request()


def test_prompting_notes() -> None:
    assert (
        "Zero-shot: no examples in the prompts. The published results are with 30"
        in prompting_notes([{"examples": [], "text": "x"}], 30)[0]
    )
    many = [{"examples": [str(n)], "text": "" if n < 2 else "x"} for n in range(13)]
    assert prompting_notes(many, 10) == (
        "Examples in a prompt: 1.0 on average, at most 1: 13 in all, in the items file.",
        "2 of 13 outputs are empty, or have an empty transcript.",
    )
