import numpy as np
import pytest
import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.similarity import (
    LayerEstimates,
    LayerSimilarities,
    Sentence,
    SimilarityMatrix,
    WordPositions,
    cosine_matrix,
    layer_similarities,
    result,
)
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.manifests.clip import Alignment, Word
from spiritlm_cli.tokens.units import Units


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary(find_checkpoint("nano").language_model(expressive=True))


def sentence(*words: tuple[str, tuple[int, ...], tuple[int, ...]], left_out: int = 0) -> Sentence:
    return Sentence((), (), {}, (), tuple(WordPositions(*word) for word in words), left_out)


def test_the_worked_example_of_the_specification() -> None:
    text = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    speech = torch.tensor([[[0.6, 0.8], [-1.0, 0.0], [1.0, 0.0]]])
    result = layer_similarities(sentence(("a", (0, 1), (0, 1)), ("b", (2,), (2,))), text, speech)
    assert result.words == 2
    assert result.left_out == 0
    assert result.same == pytest.approx((0.75355,), abs=1e-5)
    # text of a with speech of b: 1; text of b with speech of a: (0.6 + 0.8) / √2
    assert result.other == pytest.approx(((1 + 1.4 / 2**0.5) / 2,))


def test_each_layer_is_compared_alone() -> None:
    text = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [2.0, 0.0]]])
    speech = torch.tensor([[[1.0, 0.0], [0.0, 3.0]], [[0.0, 1.0], [1.0, 0.0]]])
    result = layer_similarities(sentence(("a", (0,), (0,)), ("b", (1,), (1,))), text, speech)
    assert result.same == pytest.approx((1.0, 0.5))
    assert result.other == pytest.approx((0.0, 0.5))


def test_a_word_with_the_same_letters_is_no_control() -> None:
    states = torch.eye(3)[None]
    words = ("The", (0,), (0,)), ("the", (1,), (1,)), ("cat", (2,), (2,))
    result = layer_similarities(sentence(*words), states, states)
    assert result == LayerSimilarities(3, (1.0,), (0.0,), 0)
    alone = layer_similarities(sentence(*words[:2], left_out=1), states, states)
    assert alone == LayerSimilarities(0, (), (), 3)


def test_zero_vectors_have_no_similarity() -> None:
    assert cosine_matrix(torch.zeros(1, 1, 2), torch.ones(1, 1, 2)).item() == 0


def test_words_have_their_pieces_and_the_units_of_their_time(vocabulary: Vocabulary) -> None:
    text = ' "Well, the caterpillar—né 12?" - Yes.'
    timed = [("well", 0.0, 0.2), ("the", 0.2, 0.28), ("caterpillar", 0.3, 0.6), ("né", 0.6, 0.8)]
    words = [Word(*word) for word in [*timed, ("12", 0.8, 0.8), ("yes", 0.8, 1.0)]]
    # runs of 2 units, 0.08 s each, so the middle of run i is at 0.08 i + 0.04 s
    units = Units(np.repeat(np.arange(12), 2), pitch=np.arange(12) % 5, style=np.array([3]))
    result = Sentence.of(text, units, Alignment(tuple(words)), vocabulary)
    pieces = {
        word.word: b"".join(vocabulary.text_bytes(result.text_ids[i]) for i in word.text).decode()
        for word in result.words
    }
    assert pieces["the"] == " the"
    assert pieces["Yes"] == " Yes"
    assert pieces["Well"].strip(' "') == "Well"
    spoken = {
        word.word: [vocabulary.unit(result.speech_ids[i]).id for i in word.speech] for word in result.words
    }
    assert spoken["Well"] == [0, 1]
    assert spoken["the"] == [2]
    assert spoken["Yes"] == [10, 11]
    # 12 has no time, so no units
    assert "12" not in spoken
    assert result.left_out == 1


def test_sequences_begin_with_the_start_token_and_the_marker(vocabulary: Vocabulary) -> None:
    units = Units(np.array([7, 7, 8]), pitch=np.array([1, 2]), style=np.array([0]))
    result = Sentence.of("Hi", units, Alignment((Word("hi", 0.0, 0.12),)), vocabulary)
    assert result.text_ids[:2] == (vocabulary.bos_id, vocabulary.marker_ids["text"])
    assert result.speech_ids[:2] == (vocabulary.bos_id, vocabulary.marker_ids["speech"])
    assert min(result.words[0].text) == 2
    # after the start token, the marker, a style and a pitch unit
    assert result.words[0].speech[0] == 4


def test_result_is_a_mean_over_words() -> None:
    records = [
        {"id": "a", **LayerSimilarities(3, (0.1, 0.8), (0.1, 0.4), 1).to_record()},
        {"id": "b", **LayerSimilarities(1, (0.5, 0.4), (0.5, 0.4), 0).to_record()},
        {"id": "c", **LayerSimilarities(0, (), (), 2).to_record()},
    ]
    computed = result(RunDescription("similarity", "1.0"), records)
    assert (computed.items, computed.counts) == (3, {"words": 4, "words left out": 3})
    assert computed.notes[1].startswith("1 of 3 items have no word that is compared")
    assert len(result(RunDescription("similarity", "1.0"), records[:2]).notes) == 1
    assert [row.name for row in computed.rows] == ["layer 1, of the largest gap", "0", "1"]
    first = computed.row("0", "layer").values
    assert first["same"].value == first["other"].value == pytest.approx(0.2)
    best = computed.rows[0].values
    assert best["same"].value == pytest.approx(0.7)
    assert best["gap"].value == pytest.approx(0.3)
    assert best["gap"].count == 2


def test_records_of_other_models_and_without_words_are_refused() -> None:
    nothing = LayerSimilarities(0, (), (), 2).to_record()
    with pytest.raises(ManifestError, match="no word"):
        LayerEstimates.of([nothing])
    records = [LayerSimilarities(1, (0.5,) * n, (0.5,) * n, 0).to_record() for n in (2, 3)]
    with pytest.raises(ManifestError, match="different numbers of layers"):
        LayerEstimates.of(records)


def test_a_matrix_has_the_words_in_rows_and_columns() -> None:
    words = (WordPositions("a", (3,), (6,)),)
    matrix = SimilarityMatrix.of(
        Sentence((), (), {2: " b", 3: " a"}, (4, 6), words, 0), np.zeros((2, 2), np.float32)
    )
    assert matrix.pieces == (" b", " a")
    assert matrix.words == (WordPositions("a", (1,), (1,)),)
