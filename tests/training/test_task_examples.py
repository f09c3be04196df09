import random
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.errors import CheckpointError, ManifestError, OptionError, TokenError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit, Units
from spiritlm_cli.training.corpus import Clips, Corpus
from spiritlm_cli.training.documents import encode_document
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.task_examples import TaskSource, build_examples, task_source, utterance_line
from spiritlm_cli.training.vocabulary import train_vocabulary

LINES = [parse_line(f"{i}\t[SPEECH][Hu{i}][Hu7][TEXT]a  word {i}") for i in range(3)]
STOP = SpeechSpan((Unit(Kind.HUBERT, 8), Unit(Kind.HUBERT, 9)))


@pytest.fixture(scope="module")
def vocabulary() -> SentencePieceVocabulary:
    texts = ["a word 0 1 2 <START Transcript> <END> stop A:"] * 9
    return SentencePieceVocabulary(train_vocabulary(texts, size=290, hubert=10, pitch=0, style=0))


def asr() -> Task:
    return Task.load("asr")


def corpus(lines: list[Line] = LINES) -> Corpus:
    return Corpus([], [line.sequence for line in lines], Clips.of([]))


@pytest.mark.parametrize("name", ["asr", "tts", "intent"])
def test_build_examples_is_the_prompt_of_generate(name: str, vocabulary: SentencePieceVocabulary) -> None:
    task = Task.load(name, lambda path: STOP)
    document = encode_document(build_examples(task, LINES), vocabulary, "answer")
    prompt = task.build_prompt(LINES[2], LINES[:2])
    *examples, last = (*map(task.build_example, LINES[:2]), task.build_example(LINES[2]))
    solved = Prompt(Line(last), tuple(examples)).encode(vocabulary).ids
    assert document.ids.tolist() == [*solved, vocabulary.eos_id]
    begun = prompt.encode(vocabulary).ids
    assert document.ids.tolist()[: len(begun)] == begun
    # after the last question the weights are 1, and before it in the answers alone
    assert document.weights[len(begun) :].all()
    assert not document.weights[len(begun) - 1]


def test_build_examples_labels_the_answers() -> None:
    labeled = build_examples(asr(), LINES[:2])
    for index, (span, answer) in enumerate(zip(labeled.sequence.spans, labeled.answers, strict=True)):
        if isinstance(span, SpeechSpan):
            assert set(answer.tolist()) == {-1}
        else:
            text = "".join(c for c, label in zip(span.text, answer, strict=True) if label == index // 2)
            assert text == f" <START Transcript> a word {index // 2} <END>"


def test_build_examples_needs_the_question_in_the_example(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text('example: "{speech}[TEXT]it is {text}"\nquestion: "{speech}[TEXT]what?"\nto: text\n')
    with pytest.raises(CheckpointError, match="does not begin with its question"):
        build_examples(Task.load(str(path)), LINES)
    with pytest.raises(TokenError, match="about text"):
        build_examples(asr(), [Line(Sequence((STOP,)))])


def test_task_source_has_each_line_last_in_an_epoch() -> None:
    source = TaskSource(asr(), corpus(), shots=2, seed=0)
    drawn = [source(random.Random(number), number).sequence.spans for number in range(30)]
    assert {len(spans) // 2 for spans in drawn} == {1, 2, 3}
    for spans in drawn:
        assert len(set(spans)) == len(spans)
    assert {drawn[number][-1] for number in range(3)} == {
        asr().build_example(line).spans[-1] for line in LINES
    }


def test_task_source_takes_clips_and_leaves_out_other_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clips = Clips.of(
        [
            ("", Utterance("u", Units(np.arange(3)), "some text")),
            ("", Utterance("v", Units(np.arange(3)), "")),
        ]
    )
    lines = [LINES[0].sequence, Sequence((STOP,))]
    source = TaskSource(asr(), Corpus([], lines, clips), shots=0, seed=0)
    texts = {source(random.Random(0), number).sequence.text for number in range(2)}
    assert texts == {" <START Transcript> some text <END>", " <START Transcript> a word 0 <END>"}
    assert "1 of 2 token lines" in capsys.readouterr().err


def options(**changes: object) -> LanguageModelOptions:
    return LanguageModelOptions(output=Path("out"), **changes)  # type: ignore[arg-type]


def test_task_source_refuses_what_it_can_not_use() -> None:
    assert len(task_source(options(task="asr", loss="answer"), corpus())) == 3
    with pytest.raises(OptionError, match="the template tts has sounds"):
        task_source(options(task="tts"), corpus())
    with pytest.raises(OptionError, match="the template continue has none"):
        task_source(options(task="continue", loss="answer"), corpus())
    with pytest.raises(ManifestError, match="no clips with text"):
        task_source(options(task="asr"), corpus([]))


def test_task_source_converts_the_sounds_of_a_template() -> None:
    source = task_source(options(task="tts", tokenizer="nano", device="cpu"), corpus())
    spans = source(random.Random(0), 0).sequence.spans
    assert isinstance(spans[0], TextSpan)
    assert spans[0].text.endswith(" 'stop' ")
    assert isinstance(spans[1], SpeechSpan)
    assert len(spans[1].units) > 2


def test_utterance_line_merges_runs() -> None:
    line = utterance_line(Utterance("u", Units(np.array([1, 1, 2])), "a"))
    assert line.id == "u"
    assert [len(span.units) for span in line.sequence.speech] == [2]
