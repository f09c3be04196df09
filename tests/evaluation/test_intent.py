from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.evaluation.fluent_speech_commands import Command
from spiritlm_cli.evaluation.intent import (
    IntentClassifier,
    answer_record,
    draw_examples,
    likeliest,
    result,
    score_answers,
)
from spiritlm_cli.evaluation.prompting import Prompter
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.language.few_shot import FewShot
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams

LABELS = ("activate lights bedroom", "increase volume none")
RUN = RunDescription("intent", "0")


def test_score_answers_in_the_worked_example() -> None:
    commands = [Command(Clip(str(n), "a.wav"), label) for n, label in enumerate(LABELS)]
    texts = {"0": " activate lights bedroom\n", "1": "increase volume"}
    for without_none, share in ((False, 0.5), (True, 1.0)):
        records = [outcome.result() for _, outcome in score_answers(texts, without_none, commands)]
        found = result(RUN, records)
        assert found.row("intent").values["generated"].value == share
        assert [metric.name for metric in found.metrics] == ["generated"]


def test_answer_record_has_the_first_line() -> None:
    record = answer_record("increase volume none", "\n increase  volume none\nA:", without_none=False)
    assert record == {"label": "increase volume none", "text": "increase volume none", "generated": 1.0}
    assert answer_record("increase volume none", "", without_none=True)["generated"] == 0.0


def test_likeliest_shares_a_tie() -> None:
    assert likeliest("abc", [-1.0, -2.0, -3.0], "a") == 1.0
    assert likeliest("abc", [-1.0, -1.0, -3.0], "b") == 0.5
    assert likeliest("abc", [-1.0, -1.0, -3.0], "c") == 0.0


def test_draw_examples() -> None:
    commands = [Command(Clip(str(n), "a.wav"), "rare" if n == 7 else "frequent") for n in range(40)]
    drawn = draw_examples(commands, 0, balanced=False)
    assert drawn == draw_examples(commands, 0, balanced=False) != draw_examples(commands, 1, balanced=False)
    assert sorted(drawn, key=lambda command: int(command.id)) == commands
    balanced = draw_examples(commands, 0, balanced=True)
    assert {command.label for command in balanced[:2]} == {"rare", "frequent"}
    assert len(balanced) == 40


def test_intent_classifier(small_release: Path, recording_file: Path) -> None:
    model = LanguageModel.load(str(small_release), device="cpu")
    tokenizer = SpeechTokenizer.load(str(small_release), device="cpu")
    few_shot = FewShot(Task.load("intent"), [])
    sampling = few_shot.task.add_stops(Sampling(greedy=True))
    classifier = IntentClassifier(tokenizer, Prompter(model, "text", sampling, few_shot), LABELS, ranks=True)
    commands = [
        Command(Clip(name, recording_file, start=start, end=start + 1.0), label)
        for name, start, label in (("a", 0.0, LABELS[0]), ("b", 1.0, LABELS[1]), ("c", 2.0, LABELS[0]))
    ]
    records = [outcome.result() for _, outcome in classifier.measure(commands)]
    alone = replace(classifier, batch_size=1)
    assert records[1:2] == [outcome.result() for _, outcome in alone.measure(commands[1:2])]
    longest = max(len(model.vocabulary.encode_text(label)) for label in LABELS)
    assert all(record["tokens"] <= longest + 4 for record in records)
    # the log-likelihood of a label after the marker and "A:"
    speech = merge_streams(tokenizer.encode(read_clip(commands[0].clip)))
    given = Sequence.of([speech, TextSpan(" A:")])
    score = model.score(Sequence.of([TextSpan(LABELS[1])]), given)
    assert records[0]["scores"][LABELS[1]] == pytest.approx([score.log_likelihood, score.tokens], abs=1e-4)
    found = result(RUN, records)
    assert [metric.name for metric in found.metrics] == ["generated", "by_sum", "by_mean"]
    ranked = result(RUN, records[:1])
    assert found.counts["labels"] == ranked.counts["labels"] == 2
    assert ranked.notes[0] == "by sum, by mean: 2 labels are ranked, chance 50.0."
