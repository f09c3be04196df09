from pathlib import Path

import numpy as np
import torch
from ctc_fixtures import LABELS, LETTERS, SYMBOLS
from judge_fixtures import write_ctc_recognizer

from spiritlm_cli.alignment.ctc_labels import Vocabulary
from spiritlm_cli.evaluation.judges.ctc_recognizer import CtcRecognizer
from spiritlm_cli.manifests.clip import Waveform


class Labels:
    """A model whose most probable labels are the values of the samples."""

    vocabulary = Vocabulary(LETTERS, blank=0, delimiter=4)

    def log_probs(self, waveform: Waveform) -> np.ndarray:
        return np.eye(len(SYMBOLS), dtype=np.float32)[waveform.samples.astype(int)]


def test_transcribe_merges_runs_and_drops_blanks() -> None:
    recognizer = CtcRecognizer(Labels(), "labels")  # type: ignore[arg-type]
    frames = [0 if symbol == "." else LABELS[symbol] for symbol in "..|HHEL.LLOO||.|WE'R.E..|"]
    waveform = Waveform(np.array([1, *frames, LABELS["<unk>"]], np.float32), 16000)
    assert recognizer.transcribe(waveform) == "hello we're"


def test_load(tmp_path: Path, clips: dict[str, Waveform]) -> None:
    torch.manual_seed(0)
    recognizer = CtcRecognizer.load(write_ctc_recognizer(tmp_path), "cpu")
    waveform = next(iter(clips.values()))
    text = recognizer.transcribe(waveform)
    assert text == recognizer.transcribe(waveform)
    assert text == text.lower()
    assert recognizer.name == str(tmp_path)
    assert recognizer.transcribe(Waveform(np.zeros(300, np.float32), 16000)) == ""
