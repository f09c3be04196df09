"""Inputs for `evaluate stsp`."""

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile

from spiritlm_cli.evaluation.stsp_data import StspRecord, read_set


def test_inputs(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    sentiment = script("sentiment.py")
    (tmp_path / "wavs").mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * sentiment.RATE).astype(np.float32)
    sentiment.write_inputs(tmp_path, [noise] * 3)
    records = [one for one in read_set("made", tmp_path / "made.jsonl") if isinstance(one, StspRecord)]
    assert [record.label("emotion") for record in records] == list(sentiment.EMOTIONS)
    assert [record.label() for record in records] == list(sentiment.LABELS)
    for record in records:
        assert record.text
        assert soundfile.info(record.audio).frames == 2 * sentiment.RATE


def test_random_texts_have_words_of_their_sentiment(script: Callable[[str], ModuleType]) -> None:
    sentiment = script("sentiment.py")
    rng = random.Random(0)
    for label in sentiment.LABELS:
        words = set(sentiment.random_text(label, rng).split())
        found = {name for name, known in sentiment.WORDS.items() if words & set(known.split())}
        assert found == ({label} if label != "neutral" else set())
