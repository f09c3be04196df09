"""Which tokens may come next."""

from typing import Literal

import torch
from torch import Tensor

from spiritlm_cli.language.vocabulary import Modality, Vocabulary

# What a continuation is to be made of; "same": what the prompt ends in.
To = Literal["same", "any", "speech", "text"]


def allowed_tokens(vocabulary: Vocabulary, to: Modality | Literal["any"], logits: int) -> Tensor:
    """The tokens that may be in a continuation: (logits,) bool, True where allowed.

    "speech": units; "text": text pieces; "any": both, and the markers. The end of the sequence always is
    allowed; `<unk>`, `<s>`, and the ids from the vocabulary's size to `logits`, which only pad the embedding,
    never are, nor is the byte 0, which a token line can't hold.
    """
    ids = [vocabulary.end]
    if to in ("text", "any"):
        ids += vocabulary.text_ids
    if to in ("speech", "any"):
        ids += vocabulary.unit_ids.values()
    if to == "any":
        ids += vocabulary.markers.values()
    allowed = torch.zeros(logits, dtype=torch.bool)
    allowed[ids] = True
    allowed[vocabulary.nul] = False
    return allowed
