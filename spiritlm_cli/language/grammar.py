"""The tokens that may come next: a state machine that accepts the sequences of docs/token-format.md."""

from enum import IntEnum
from typing import Literal

import torch
from torch import Tensor

from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Modality

# What a continuation may contain: one modality, or both with changes between them.
OutputModality = Literal["any", "speech", "text"]
# The same as a user asks for it; "same" is the modality that the prompt ends in.
RequestedModality = Literal["same", "any", "speech", "text"]


class State(IntEnum):
    """What may follow, apart from the end of the sequence.

    TEXT and SPEECH: content of that modality alone, because the span is empty or because the output is restricted to
    one modality. TEXT_OR_MARKER and SPEECH_OR_MARKER: content of the current span, or the marker of the other
    modality. START: one of the two markers, because the sequence is empty.
    """

    TEXT = 0
    SPEECH = 1
    TEXT_OR_MARKER = 2
    SPEECH_OR_MARKER = 3
    START = 4


class Grammar:
    """The token masks and state transitions of a vocabulary.

    The end of the sequence is allowed in every state. Start tokens and other special tokens, the ids that only pad the
    embedding, and text with the byte 0 (which a token line can't hold) are allowed in none. A marker never follows a
    marker, so no span is empty except one that the end or a limit cuts off. In a vocabulary without markers, units
    alone follow one another.
    """

    def __init__(self, vocabulary: Vocabulary, vocab_size: int) -> None:
        """vocab_size: number of logits that the network computes, at least `vocabulary.size`."""
        nul = set(vocabulary.nul_ids)
        text = [token for token in vocabulary.text_ids if token not in nul]
        units = list(vocabulary.unit_ids.values())
        markers = vocabulary.marker_ids
        self._kinds = {token: kind for kind, token in markers.items()}
        content = {
            State.TEXT: text,
            State.SPEECH: units,
            State.TEXT_OR_MARKER: [*text, *(token for kind, token in markers.items() if kind == "speech")],
            State.SPEECH_OR_MARKER: [*units, *(token for kind, token in markers.items() if kind == "text")],
            State.START: list(markers.values()) or units,
        }
        self._without_end = torch.zeros(len(State), vocab_size, dtype=torch.bool)
        for state, ids in content.items():
            self._without_end[state, torch.tensor(ids, dtype=torch.long)] = True
        self._with_end = self._without_end.clone()
        self._with_end[:, torch.tensor(vocabulary.eos_ids, dtype=torch.long)] = True

    def allowed(self, state: State, allow_end: bool = True) -> Tensor:
        """Mask of the tokens that may follow: (vocab_size,) bool. allow_end: whether the end tokens are among them."""
        return (self._with_end if allow_end else self._without_end)[state]

    def initial_state(self, output: OutputModality, last: Modality | None, is_open: bool) -> State:
        """The state after a prompt.

        last: modality of the prompt's last span, None if the prompt is empty. is_open: whether that span is a bare
        marker, without content.
        """
        if output != "any":
            return State.TEXT if output == "text" else State.SPEECH
        if last is None:
            return State.START
        if is_open:
            return State.TEXT if last == "text" else State.SPEECH
        return State.TEXT_OR_MARKER if last == "text" else State.SPEECH_OR_MARKER

    def next_state(self, state: State, token: int, output: OutputModality) -> State:
        """The state after an allowed token. With a single output modality the state never changes."""
        if output != "any":
            return state
        if kind := self._kinds.get(token):
            return State.TEXT if kind == "text" else State.SPEECH
        is_text = state in (State.TEXT, State.TEXT_OR_MARKER)
        return State.TEXT_OR_MARKER if is_text else State.SPEECH_OR_MARKER
