import math

import pytest
import torch

from spiritlm_cli.training.attention_loss import attention_loss, supervised_layers, target_mask

# a word of two units and a word of one unit, then the text of both, one token each
WORDS = torch.tensor([[-1, 0, 0, 1, -1, 0, 1]])
IS_TEXT = torch.tensor([[False, False, False, False, False, True, True]])


def test_target_mask_selects_the_word_in_the_other_modality() -> None:
    mask = target_mask(WORDS, IS_TEXT)[0]
    assert mask.shape == (6, 6)
    # the token at 4 predicts word 0 of the text, whose units are at 1 and 2; that at 5 word 1, at 3
    assert mask.nonzero().tolist() == [[4, 1], [4, 2], [5, 3]]


def test_target_mask_is_causal_and_works_from_text_to_speech() -> None:
    mask = target_mask(
        torch.tensor([[0, 1, -1, 0, 0, 1]]), torch.tensor([[True, True, False, False, False, False]])
    )[0]
    assert mask.nonzero().tolist() == [[2, 0], [3, 0], [4, 1]]


def test_attention_loss_is_minus_log_of_the_attention_inside() -> None:
    mask = target_mask(WORDS, IS_TEXT)
    even = torch.full((1, 4, 6, 6), 1 / 6)
    loss, inside = attention_loss([even], mask)
    assert inside.item() == pytest.approx((2 / 6 + 1 / 6) / 2)
    assert loss.item() == pytest.approx(-(math.log(2 / 6) + math.log(1 / 6)) / 2, abs=1e-3)
    # unsupervised heads have no effect
    even[:, 2:] = 0
    assert attention_loss([even], mask)[0].item() == pytest.approx(loss.item())
    nothing, _ = attention_loss([even], torch.zeros_like(mask))
    assert nothing.item() == 0


def test_supervised_layers_are_in_the_middle() -> None:
    assert list(supervised_layers(8)) == [2, 3, 4]
    assert list(supervised_layers(1)) == [0]
