"""Prompts and answers of the package's tasks, and templates of one's own."""

import random
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import NAMES, Task
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_sequence

SOUND = SpeechSpan((Unit(Kind.STYLE, 1), Unit(Kind.HUBERT, 90), Unit(Kind.HUBERT, 91)))
EXAMPLES = [
    parse_line("a\t[SPEECH][Hu1][Hu2][TEXT] the cat "),
    parse_line("b\t[TEXT]a dog[SPEECH][Hu3]"),
    parse_line(r"c\t[SPEECH][Hu4][TEXT]{text} \[x]".replace(r"\t", "\t")),
]
QUESTION = parse_line("q\t[SPEECH][Hu7][Hu8]")


def encode_sound(path: Path) -> SpeechSpan:
    assert path.is_file()
    return SOUND


def test_names_are_the_tasks_of_the_paper() -> None:
    assert NAMES == ("asr", "continue", "intent", "tts")


def formatted(prompt: Prompt) -> list[str]:
    return [*map(format_sequence, prompt.examples), format_sequence(prompt.line.sequence)]


def test_asr() -> None:
    task = Task.load("asr", encode_sound)
    prompt = task.build_prompt(QUESTION, EXAMPLES)
    assert formatted(prompt) == [
        "[SPEECH][Hu1][Hu2][TEXT] <START Transcript> the cat <END>",
        "[SPEECH][Hu3][TEXT] <START Transcript> a dog <END>",
        r"[SPEECH][Hu4][TEXT] <START Transcript> {text} \[x] <END>",
        "[SPEECH][Hu7][Hu8]",
    ]
    assert (task.to, prompt.line.id, prompt.ends_in) == ("text", "q", "text")
    sampling = task.add_stops(Sampling(stop=("~",)))
    assert (sampling.stop, sampling.stop_units, sampling.one_span) == (("~", "<END>"), (), True)
    with pytest.raises(TokenError, match="asr is about speech"):
        task.build_prompt(parse_line("[TEXT]no sound"))


def test_mark_tokens() -> None:
    vocabulary = load_vocabulary(find_checkpoint("nano").language_model(True))
    marks = [len(vocabulary.encode_text(text)) for text in ("<START Transcript>", " <END>")]
    assert Task.load("asr").mark_tokens(vocabulary) == sum(marks)
    assert Task.load("intent").mark_tokens(vocabulary) == 0


def test_tts_has_a_spoken_stop_word() -> None:
    task = Task.load("tts", encode_sound)
    prompt = task.build_prompt(parse_line("[TEXT]hello \n you"), EXAMPLES[:1])
    assert formatted(prompt) == [
        "[TEXT] the cat 'stop' [SPEECH][Hu1][Hu2][St1][Hu90][Hu91]",
        "[TEXT] hello you 'stop' ",
    ]
    assert prompt.ends_in == "speech"
    sampling = task.add_stops(Sampling())
    assert (sampling.stop, sampling.stop_units, sampling.one_span) == ((), (90, 91), True)
    with pytest.raises(TokenError, match="tts is about text"):
        task.build_prompt(QUESTION)


def test_intent_and_continue() -> None:
    task = Task.load("intent", encode_sound)
    assert formatted(task.build_prompt(QUESTION, EXAMPLES[:1])) == [
        "[SPEECH][Hu1][Hu2][TEXT] A:the cat", "[SPEECH][Hu7][Hu8][TEXT] A:"
    ]  # fmt: skip
    task = Task.load("continue", encode_sound)
    assert task.to == "same"
    assert task.build_prompt(parse_line("[TEXT]a[SPEECH]")).ends_in == "speech"
    assert formatted(task.build_prompt(QUESTION, EXAMPLES[:1])) == [
        "[SPEECH][Hu1][Hu2][TEXT] the cat ",
        "[SPEECH][Hu7][Hu8]",
    ]


def test_choose_examples_excludes_the_question() -> None:
    task = Task.load("asr", encode_sound)
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
    with pytest.raises(TokenError, match="2 examples besides the line itself, fewer than the 3 of a prompt"):
        task.choose_examples(EXAMPLES, 3, EXAMPLES[1])


@pytest.mark.parametrize("text", ["", " ", " a  b\n", "a", "  \t a b  c "])
def test_normalize_answer_does_not_depend_on_the_pieces(text: str) -> None:
    task = Task.load("asr", encode_sound)
    whole = Sequence.of(task.normalize_answer([TextSpan(text)]))
    assert whole.text == " ".join(text.split())
    assert Sequence.of(task.normalize_answer(TextSpan(character) for character in text)) == whole
    marked = f" <START  Transcript>{text}"
    assert Sequence.of(task.normalize_answer([TextSpan(marked)])) == whole
    assert Sequence.of(task.normalize_answer(TextSpan(character) for character in marked)) == whole
    for other in ("<START", "< START Transcript> a", "a <START Transcript> b"):
        assert Sequence.of(task.normalize_answer(map(TextSpan, other))).text == other
    assert [*task.normalize_answer([TextSpan("<ST"), SOUND])] == [TextSpan("<ST"), SOUND]
    speech = [SOUND]
    assert list(Task.load("tts", encode_sound).normalize_answer(speech)) == speech


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("example: a\nquestion: b\nto: text\nshot: 3", "unknown key 'shot'"),
        ("example: a\nto: text", "missing key 'question'"),
        ("example: '{sound}'\nquestion: b\nto: text", "{sound} is neither"),
        ("example: a\nquestion: b\nto: song", "to must be"),
        ("example: a\nquestion: b\nto: text\nend: ['']", "empty"),
        ("example: a\nquestion: b\nto: text\nsounds: {text: a.wav}", "no sound can be called"),
        ("- a", "expected lines `name: value`"),
        ("example: a\nquestion: b\nto: text\nend: ['{text}']", "an end is a text, a marker, or one sound"),
        ("example: a\nquestion: b\nto: text\nsounds: {s: s.wav}\nend: ['x {s}']", "an end is a text"),
        ("example: a\nquestion: b\nto: text\nsounds: {s: s, t: t}\nend: ['{s}', '{t}']", "one sound"),
    ],
)
def test_load_a_template_and_name_its_errors(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"mine\.yaml") as caught:
        Task.load(str(path), encode_sound)
    assert reason in str(caught.value)
    with pytest.raises(CheckpointError, match="neither a task"):
        Task.load(str(tmp_path / "other.yaml"), encode_sound)
    path.write_text(
        'example: "Q:\\t{text} A: yes. "\nquestion: "Q: {text} A:"\nto: text\nend: [".", "[Speech]"]\nshots: 1\n'
    )
    task = Task.load(str(path), encode_sound)
    assert formatted(task.build_prompt(EXAMPLES[0], EXAMPLES[1:2])) == [
        r"[TEXT]Q:\ta dog A: yes. ",
        "[TEXT]Q: the cat A:",
    ]
    assert task.add_stops(Sampling()) == Sampling(stop=(".",), one_span=True)
    mixed = parse_line("[TEXT]the cat[SPEECH][Hu3][TEXT]sat")
    assert formatted(task.build_prompt(mixed)) == ["[TEXT]Q: the cat sat A:"]
