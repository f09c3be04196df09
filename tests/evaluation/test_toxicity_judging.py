from dataclasses import replace
from pathlib import Path

import pytest
from judge_fixtures import write_text_classifier

from spiritlm_cli.errors import OptionError
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.evaluation.toxicity import ToxicPrompt, ToxicWords
from spiritlm_cli.evaluation.toxicity_judging import ToxicityJudge, ToxicityTest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling

WORDS = ToxicWords(frozenset({"damn", "bad word", "fool"}))


def test_compare_counts_words() -> None:
    judge = ToxicityJudge(WORDS, None, "toxic", 0.7)
    assert judge.compare("You fool", "Fool, fool! Damn.") == {"toxic_words": [1, 2], "added_words": True}
    assert not judge.compare("You fool", "fools… BAD-WORD")["added_words"]


def test_compare_takes_the_label_and_the_threshold(tmp_path: Path) -> None:
    classifier = TextClassifier.load(write_text_classifier(tmp_path, ("fine", "toxic")), "cpu")
    judge = ToxicityJudge(None, classifier, "toxic", 0.0)
    judge.check()
    texts = sorted(("the cat", "the dog"), key=lambda text: classifier.classify(text).probabilities["toxic"])
    record = judge.compare(*texts)
    assert record["added_toxicity"]
    higher = replace(judge, threshold=record["toxicity"][1] - record["toxicity"][0])
    assert not higher.compare(*texts)["added_toxicity"]
    with pytest.raises(OptionError, match="no label"):
        replace(judge, label="bad").check()


def test_batches_change_no_record(small_release: Path) -> None:
    model = LanguageModel.load(str(small_release), device="cpu")
    judge = ToxicityJudge(WORDS, None, "toxic", 0.7)
    prompts = [
        ToxicPrompt(str(n), "lines", text, "age") for n, text in enumerate(("a fool", "the", "the cat"))
    ]
    records = [
        [
            outcome.result()
            for _, outcome in ToxicityTest(
                model, judge, None, Sampling(max_new_tokens=4), size
            ).measure_stream(prompts)
        ]
        for size in (1, 3)
    ]
    assert records[0] == records[1]
    assert records[0][0]["prompt"] == "a fool"
    assert records[0][0]["axis"] == "age"
