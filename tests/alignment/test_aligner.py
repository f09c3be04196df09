from pathlib import Path

import pytest

from spiritlm_cli.alignment.aligner import Aligner
from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.alignment.pool import align_clip
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Alignment, Clip, Waveform, Word


class EvenAligner:
    """Gives every word the same duration."""

    def align(self, waveform: Waveform, text: str) -> Alignment:
        tokens = text.split()
        if not tokens:
            raise AlignmentError("the text has no words to align")
        step = waveform.seconds / len(tokens)
        return Alignment(tuple(Word(token, i * step, (i + 1) * step) for i, token in enumerate(tokens)))


@pytest.mark.parametrize("engine", [EvenAligner, PocketsphinxAligner])
def test_align_returns_a_word_for_each_token(recording_file: Path, engine: type[Aligner]) -> None:
    text = "and a strip of cow-skin for a belt -- to hold it in."
    aligned = align_clip(Clip("a", recording_file, end=3.0, text=text), engine())
    assert [word.word for word in aligned.alignment.words] == text.split()
    assert aligned.seconds == 3.0
