"""Which tokens may come next: a small state machine over the sequences of docs/token-format.md."""

from enum import IntEnum
from typing import Literal

import torch
from torch import Tensor

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Modality

# What a continuation is to be made of; "same": what the prompt ends in.
To = Literal["same", "any", "speech", "text"]


class State(IntEnum):
    """Where a sequence stands. In TEXT and SPEECH its last span goes on, or a marker has opened one that is empty;
    in FREE_TEXT and FREE_SPEECH that span may end and the other kind begin; at START there is nothing yet."""

    TEXT = 0
    SPEECH = 1
    FREE_TEXT = 2
    FREE_SPEECH = 3
    START = 4


class Grammar:
    """The masks and the changes of state, compiled for a vocabulary.

    Every state has the end open, or (`held`) closed; no state has `<unk>`, `<s>`, the ids that only pad the embedding,
    or the byte 0, which a token line can't hold. A marker follows neither itself nor the other marker, and what follows
    it is of its kind: so no span is empty, save for one that the end cuts off, and that says nothing.
    """

    def __init__(self, vocabulary: Vocabulary, logits: int) -> None:
        """logits: how many the network gives, at least the vocabulary's size."""
        text = [token for token in vocabulary.text_ids if token != vocabulary.nul]
        units = list(vocabulary.unit_ids.values())
        self._markers = vocabulary.markers
        content = {
            State.TEXT: text,
            State.SPEECH: units,
            State.FREE_TEXT: [*text, self._markers["speech"]],
            State.FREE_SPEECH: [*units, self._markers["text"]],
            State.START: list(self._markers.values()),
        }
        self._held = torch.zeros(len(State), logits, dtype=torch.bool)
        for state, ids in content.items():
            self._held[state, ids] = True
        self._open = self._held.clone()
        self._open[:, vocabulary.end] = True

    def allowed(self, state: State, held: bool = False) -> Tensor:
        """(logits,) bool, True where a token may come; held: not the end."""
        return (self._held if held else self._open)[state]

    def start(self, to: Modality | Literal["any"], last: Modality | None, opened: bool) -> State:
        """The state after a prompt. last: of what kind its last span is; opened: of which there is the marker alone."""
        if to != "any":
            return State.TEXT if to == "text" else State.SPEECH
        if last is None:
            return State.START
        if opened:
            return State.TEXT if last == "text" else State.SPEECH
        return State.FREE_TEXT if last == "text" else State.FREE_SPEECH

    def after(self, state: State, token: int, to: Modality | Literal["any"]) -> State:
        """The state after a token that was allowed; where one kind was asked for, it stays."""
        if to != "any":
            return state
        if token == self._markers["text"]:
            return State.TEXT
        if token == self._markers["speech"]:
            return State.SPEECH
        return State.FREE_TEXT if state in (State.TEXT, State.FREE_TEXT) else State.FREE_SPEECH
