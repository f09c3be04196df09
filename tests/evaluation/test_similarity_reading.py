from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.errors import AlignmentError, TokenError
from spiritlm_cli.evaluation.similarity_reading import SentenceReader, SentenceStates
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Alignment, Clip, Word
from spiritlm_cli.speech.tokenizer import SpeechTokenizer

WORDS = Alignment((Word("of", 0.0, 0.2), Word("cow", 0.2, 0.5), Word("skin", 0.5, 1.0)))


@pytest.fixture(scope="module")
def reader(small_release: Path) -> Iterator[SentenceReader]:
    with WordTimes() as times:
        yield SentenceReader(
            SpeechTokenizer.load(str(small_release), device="cpu"),
            LanguageModel.load(str(small_release), device="cpu"),
            times,
        )


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("a", recording_file, start=1, end=2, text="of cow skin", alignment=WORDS)


def read(reader: SentenceReader, *clips: Clip) -> list[SentenceStates]:
    with closing(reader.read_stream(clips)) as stream:
        return [outcome.result() for _, outcome in stream]


def test_states_do_not_depend_on_other_clips(reader: SentenceReader, clip: Clip) -> None:
    longer = replace(clip, id="b", end=4.0)
    (expected,) = read(reader, clip)
    _, states = read(reader, longer, clip)
    assert torch.equal(states.text, expected.text)
    assert torch.equal(states.speech, expected.speech)
    assert states.compare() == expected.compare()


def test_compare_and_matrix_are_of_all_layers(reader: SentenceReader, clip: Clip) -> None:
    (states,) = read(reader, clip)
    result = states.compare()
    assert result.words == 3
    assert len(result.same) == len(states.text) == len(states.speech)
    matrix = states.matrix(1)
    assert matrix.cosines.shape == (len(matrix.pieces), len(states.sentence.units))
    assert "".join(matrix.pieces) == "of cow skin"
    maxima = [matrix.cosines[list(word.text)][:, list(word.speech)].max() for word in matrix.words]
    assert sum(maxima) / 3 == pytest.approx(result.same[1], abs=1e-6)


def test_clips_that_cannot_be_compared(
    reader: SentenceReader, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AlignmentError, match="a: has no text and no words"):
        read(reader, replace(clip, text=None, alignment=None))
    monkeypatch.setattr(reader.language_model, "context_length", 5)
    with pytest.raises(TokenError, match="context is 5"):
        read(reader, clip)
