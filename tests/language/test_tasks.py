"""Prompts by example and what becomes of answers, for each of the tasks that come with the package."""

import random
from pathlib import Path

import pytest

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import NAMES, Task
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_sequence

SPOKEN = SpeechSpan((Unit(Kind.STYLE, 1), Unit(Kind.HUBERT, 90), Unit(Kind.HUBERT, 91)))
EXAMPLES = [
    parse_line("a\t[SPEECH][Hu1][Hu2][TEXT] the cat "),
    parse_line("b\t[TEXT]a dog[SPEECH][Hu3]"),
    parse_line(r"c\t[SPEECH][Hu4][TEXT]{text} \[x]".replace(r"\t", "\t")),
]
QUESTION = parse_line("q\t[SPEECH][Hu7][Hu8]")


def hear(path: Path) -> SpeechSpan:
    assert path.is_file()
    return SPOKEN


def test_there_are_the_papers_tasks() -> None:
    assert NAMES == ("asr", "continue", "intent", "tts")


def shown(prompt: Prompt) -> list[str]:
    return [*map(format_sequence, prompt.examples), format_sequence(prompt.line.sequence)]


def test_speech_to_text() -> None:
    task = Task.load("asr", hear)
    prompt = task.build_prompt(QUESTION, EXAMPLES)
    assert shown(prompt) == [
        "[SPEECH][Hu1][Hu2][TEXT] <START Transcript> the cat <END>",
        "[SPEECH][Hu3][TEXT] <START Transcript> a dog <END>",
        r"[SPEECH][Hu4][TEXT] <START Transcript> {text} \[x] <END>",
        "[SPEECH][Hu7][Hu8][TEXT] <START Transcript>",
    ]
    assert (task.to, prompt.line.id, prompt.ends_in) == ("text", "q", "text")
    sampling = task.add_stops(Sampling(stop=("~",)))
    assert (sampling.stop, sampling.stop_units, sampling.one_span) == (("~", "<END>"), (), True)
    with pytest.raises(TokenError, match="asr is about speech"):
        task.build_prompt(parse_line("[TEXT]no sound"))


def test_text_to_speech_has_a_spoken_stop() -> None:
    task = Task.load("tts", hear)
    prompt = task.build_prompt(parse_line("[TEXT]hello \n you"), EXAMPLES[:1])
    assert shown(prompt) == [
        "[TEXT]the cat stop[SPEECH][Hu1][Hu2][St1][Hu90][Hu91]",
        "[TEXT]hello you stop",
    ]
    assert prompt.ends_in == "speech"
    sampling = task.add_stops(Sampling())
    assert (sampling.stop, sampling.stop_units, sampling.one_span) == ((), (90, 91), True)
    with pytest.raises(TokenError, match="tts is about text"):
        task.build_prompt(QUESTION)


def test_intent_and_continuation() -> None:
    task = Task.load("intent", hear)
    assert shown(task.build_prompt(QUESTION, EXAMPLES[:1])) == [
        "[SPEECH][Hu1][Hu2][TEXT] A:the cat", "[SPEECH][Hu7][Hu8][TEXT] A:"
    ]  # fmt: skip
    task = Task.load("continue", hear)
    assert task.to == "same"
    assert task.build_prompt(parse_line("[TEXT]a[SPEECH]")).ends_in == "speech"
    assert shown(task.build_prompt(QUESTION, EXAMPLES[:1])) == [
        "[SPEECH][Hu1][Hu2][TEXT] the cat ",
        "[SPEECH][Hu7][Hu8]",
    ]


def test_examples_are_the_first_or_drawn_and_never_the_question() -> None:
    task = Task.load("asr", hear)
    assert task.choose_examples(EXAMPLES, 2, QUESTION) == EXAMPLES[:2]
    assert task.choose_examples(EXAMPLES, 2, EXAMPLES[0]) == EXAMPLES[1:]
    assert task.choose_examples(EXAMPLES, 0, QUESTION) == []
    drawn = {
        tuple(line.id for line in task.choose_examples(EXAMPLES, 2, QUESTION, random.Random(n)))
        for n in range(40)
    }
    assert len(drawn) == 6
    assert task.choose_examples(EXAMPLES, None, QUESTION) == EXAMPLES
    assert task.choose_examples(EXAMPLES, None, EXAMPLES[1]) == EXAMPLES[::2]
    with pytest.raises(TokenError, match="2 examples beside the line itself, for a prompt of 3"):
        task.choose_examples(EXAMPLES, 3, EXAMPLES[1])


@pytest.mark.parametrize("text", ["", " ", " a  b\n", "a", "  \t a b  c "])
def test_answers_are_cleaned_in_one_piece_or_many(text: str) -> None:
    task = Task.load("asr", hear)
    whole = Sequence.of(task.normalize_answer([TextSpan(text)]))
    assert whole.text == " ".join(text.split())
    assert Sequence.of(task.normalize_answer(TextSpan(character) for character in text)) == whole
    speech = [SPOKEN]
    assert list(Task.load("tts", hear).normalize_answer(speech)) == speech


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("example: a\nquestion: b\nto: text\nshot: 3", "unknown key 'shot'"),
        ("example: a\nto: text", "missing key 'question'"),
        ("example: '{sound}'\nquestion: b\nto: text", "{sound} is neither"),
        ("example: a\nquestion: b\nto: song", "to must be"),
        ("example: a\nquestion: b\nto: text\nend: ['']", "empty"),
        ("example: a\nquestion: b\nto: text\nsounds: {text: a.wav}", "no sound can be called"),
        ("- a", "expected an object"),
        ("example: a\nquestion: b\nto: text\nend: ['{text}']", "an end is a text, a marker, or one sound"),
        ("example: a\nquestion: b\nto: text\nsounds: {s: s.wav}\nend: ['x {s}']", "an end is a text"),
        ("example: a\nquestion: b\nto: text\nsounds: {s: s, t: t}\nend: ['{s}', '{t}']", "one sound"),
    ],
)
def test_a_template_of_ones_own_and_its_faults(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"mine\.yaml") as caught:
        Task.load(str(path), hear)
    assert reason in str(caught.value)
    with pytest.raises(CheckpointError, match="neither a task"):
        Task.load(str(tmp_path / "other.yaml"), hear)
    path.write_text(
        'example: "Q:\\t{text} A: yes. "\nquestion: "Q: {text} A:"\nto: text\nend: [".", "[Speech]"]\nshots: 1\n'
    )
    task = Task.load(str(path), hear)
    assert shown(task.build_prompt(EXAMPLES[0], EXAMPLES[1:2])) == [
        r"[TEXT]Q:\ta dog A: yes. ",
        "[TEXT]Q: the cat A:",
    ]
    assert task.add_stops(Sampling()) == Sampling(stop=(".",), one_span=True)
    apart = parse_line("[TEXT]the cat[SPEECH][Hu3][TEXT]sat")
    assert shown(task.build_prompt(apart)) == ["[TEXT]Q: the cat sat A:"]


def test_examples_have_markers_of_their_own_and_go_first_where_there_is_no_room(
    models: dict[str, LanguageModel],
) -> None:
    model = models["spirit-lm-expressive-7b"]
    vocabulary = model.vocabulary
    one, two = parse_sequence("[TEXT]a b"), parse_sequence("[TEXT]" + "so " * 1000)
    prompt = Prompt(Line(one), (two, one))
    ids = vocabulary.encode(one)[1:]
    begun = model.start(GenerationRequest(Prompt(Line(one), (one, one))))
    assert begun.ids == [vocabulary.bos_id, *ids, *ids, *ids]
    many = Prompt(Line(one), (two,) * 9)
    length = len(vocabulary.encode(two)) - 1
    fitting = (model.context_length - 1 - len(ids) - 1) // length
    assert fitting < 9
    with pytest.raises(
        TokenError, match=rf"{9 * length + len(ids) + 1} tokens.*{fitting} of its 9 examples would fit"
    ):
        model.start(GenerationRequest(many))
    cut = model.start(GenerationRequest(many, overflow="cut", sampling=Sampling(max_new_tokens=1)))
    assert len(cut.ids) == 1 + fitting * length + len(ids)
    assert cut.truncated == (9 - fitting) * length
    assert (
        model.start(GenerationRequest(prompt, overflow="cut")).ids
        == model.start(GenerationRequest(prompt)).ids
    )


def test_examples_that_prompts_share_are_read_once_and_change_nothing(
    models: dict[str, LanguageModel],
) -> None:
    model = models["spirit-lm-expressive-7b"]
    examples = tuple(parse_sequence(f"[SPEECH][Hu{n}][Hu9][TEXT]word {n}") for n in range(5))
    questions = [parse_sequence(f"[SPEECH][Hu{n}]" + "[Hu3]" * n + "[TEXT]a") for n in range(6)]
    prompts = [Prompt(Line(question), examples) for question in questions]
    prompts[3] = Prompt(Line(questions[3]), examples[1:])
    prompts.append(Prompt(Line(questions[0])))
    sampling = Sampling(greedy=True, max_new_tokens=8)
    alone = [model.generate(prompt, sampling=sampling) for prompt in prompts]
    for size in (1, 3, 16):
        found = model.generate_stream(
            prompts, lambda prompt: GenerationRequest(prompt, sampling=sampling), batch_size=size
        )
        assert [one.result() for _, one in found] == alone
    # the same as when all is read at once
    for prompt, found in zip(prompts, alone, strict=True):
        tokens = prompt.encode(model.vocabulary, None).ids
        whole = model.start_encoded(EncodedPrompt(tokens), "text", sampling)
        assert not whole.shared_prefix
        assert Sequence.of(model.stream(whole)) == found.sequence
