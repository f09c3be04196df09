"""Probabilities of tokens."""

import pytest
import torch

from spiritlm_cli.language.token_scores import TokenScores

LOGITS = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0]])


def test_scores_are_those_of_the_softmax() -> None:
    scores = TokenScores.of(LOGITS, torch.tensor([2, 1]))
    # log softmax of (0, 1, 2) at 2, and of (3, 1, 0) at 1, computed by hand
    assert scores.log_probabilities.tolist() == pytest.approx([-0.40761, -2.16985], abs=1e-5)
    assert scores.greedy.tolist() == [True, False]


def test_parts_are_joined_and_split() -> None:
    scores = TokenScores.of(LOGITS, torch.tensor([2, 1]))
    joined = TokenScores.join(
        [scores, TokenScores.of(LOGITS[:0], torch.tensor([], dtype=torch.int64)), scores]
    )
    first, none, last = joined.split([1, 0, 3])
    assert first.greedy.tolist() == [True]
    assert none.greedy.tolist() == none.log_probabilities.tolist() == []
    assert last.greedy.tolist() == [False, True, False]
    assert last.log_probabilities[0] == scores.log_probabilities[1]


def test_last_cuts_rows() -> None:
    scores = TokenScores.of(torch.stack([LOGITS, LOGITS]), torch.tensor([[2, 1], [0, 0]]))
    assert scores.last(0, 2).greedy.tolist() == [True, False]
    assert scores.last(1, 1).greedy.tolist() == [True]
    assert scores.last(1, 0).log_probabilities.tolist() == []


def test_keep_selects_tokens() -> None:
    scores = TokenScores.of(LOGITS, torch.tensor([2, 1]))
    assert scores.keep(None) is scores
    assert scores.keep((False, True)).greedy.tolist() == [False]
    assert scores.keep((False, True)).log_probabilities[0] == scores.log_probabilities[1]
