"""Hidden states of clips and of their texts, for `similarity`."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.evaluation.similarity import (
    LayerSimilarities,
    Sentence,
    SimilarityMatrix,
    cosine_matrix,
    layer_similarities,
)
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.interleaving.utterances import read_utterances
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import ScoredIds
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.nn.device import check_finite
from spiritlm_cli.speech.tokenizer import SpeechTokenizer


@dataclass(frozen=True, eq=False)
class SentenceStates:
    """The hidden states of a sentence.

    text: (layers + 1, tokens of the text, dim). speech: (layers + 1, tokens of the speech, dim).
    """

    sentence: Sentence
    text: Tensor
    speech: Tensor

    def compare(self) -> LayerSimilarities:
        """Compare the words at each layer."""
        return layer_similarities(self.sentence, self.text, self.speech)

    def matrix(self, layer: int) -> SimilarityMatrix:
        """Cosines of all pieces and phonetic units at a layer."""
        sentence = self.sentence
        rows, columns = list(sentence.pieces), list(sentence.units)
        cosines = cosine_matrix(self.text[layer : layer + 1, rows], self.speech[layer : layer + 1, columns])
        return SimilarityMatrix.of(sentence, cosines[0].cpu().numpy())


@dataclass(frozen=True)
class SentenceReader:
    """Clips → units and word times → hidden states of the language model.

    batch_seconds, workers: see `SpeechTokenizer.encode_stream`.
    """

    tokenizer: SpeechTokenizer
    language_model: LanguageModel
    word_times: WordTimes
    batch_seconds: float | None = None
    workers: int = 2

    def read_stream(
        self, clips: Iterable[Clip]
    ) -> Generator[tuple[Clip, Outcome[SentenceStates]], None, None]:
        """Yield clips with their hidden states, in order; take the result of each before the next one.

        The outcome raises AudioError, AlignmentError for a clip without text or with another one, and TokenError for a
        sequence that is longer than the model's context or has a unit that the model does not have.
        """
        utterances = read_utterances(
            clips, self.tokenizer, self.word_times, batch_seconds=self.batch_seconds, workers=self.workers,
            measure_gaps=False,
        )  # fmt: skip
        with closing(utterances):
            for clip, outcome in utterances:
                assert isinstance(clip, Clip)
                yield clip, outcome.map(partial(_states, model=self.language_model))


@torch.inference_mode()
def _states(utterance: Utterance, model: LanguageModel) -> SentenceStates:
    """Compute the hidden states of an utterance."""
    if utterance.alignment is None:
        raise AlignmentError(f"{utterance.id}: has no text and no words to compare")
    sentence = Sentence.of(utterance.text, utterance.units, utterance.alignment, model.vocabulary)
    sequences = []
    for ids in (sentence.text_ids, sentence.speech_ids):
        ScoredIds(list(ids), 1).check_length(model.context_length)
        sequences.append(torch.tensor(ids, device=model.network.device))
    # one after another, so that neither depends on the other's length
    text, speech = (model.network.layer_states([ids])[0] for ids in sequences)
    check_finite([text, speech])
    return SentenceStates(sentence, text, speech)
