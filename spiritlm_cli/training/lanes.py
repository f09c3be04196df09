"""Endless, resumable streams of packed rows.

Each row of a step's global batch is a lane: lane l of L draws its documents by its own random numbers, and of a finite
source the documents l, l + L, l + 2L … of the epoch's permutation. So the data of a step depend on the seed, the number
of lanes and the step alone, and not on the processes that fill the lanes.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from spiritlm_cli.errors import CheckpointError, SpiritLMError, TokenError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.training.documents import Document, encode_document
from spiritlm_cli.training.language_model_options import Loss
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.rows import Rows, phonetic_ids, replace_units

State = dict[str, Any]


@dataclass(frozen=True, eq=False)
class RowFormat:
    """What rows are made of, and how.

    mixture: the sources, whose shares are of the tokens. length: tokens of a row, targets included. loss: tokens that
    are trained on. replaced: largest share of a row's phonetic units to replace in the inputs; see `replace_units`.
    """

    mixture: Sequence[Source]
    vocabulary: Vocabulary
    length: int
    loss: Loss = "all"
    replaced: float = 0.0

    @cached_property
    def phonetic(self) -> Tensor:
        """The ids of all phonetic units."""
        return phonetic_ids(self.vocabulary)


class Lane:
    """One lane's stream of rows."""

    def __init__(self, form: RowFormat, seed: int, lane: int, lanes: int) -> None:
        self._form, self._seed, self._lane, self._lanes = form, seed, lane, lanes
        # rows and documents so far; of each source, documents and tokens so far
        self._rows = self._documents = 0
        self._drawn = [0] * len(form.mixture)
        self._tokens = [0] * len(form.mixture)
        # the document that the next row begins with, its source, and its tokens in earlier rows
        self._document: Document | None = None
        self._source = self._offset = 0

    def next_row(self) -> Rows:
        """Return the next row, (1, length). A document that does not fit continues in the row after it.

        A question and its answer that fit into a row are not divided: they wait for the next row, and the rest of this
        one has weight 0. Where only answers are trained on, that holds for a whole document, in which earlier answers
        are the examples of later ones.
        """
        length, vocabulary = self._form.length, self._form.vocabulary
        ids, sources, words, positions = (np.zeros(length, dtype=np.int64) for _ in range(4))
        weights = np.zeros(length, dtype=np.float32)
        filled = first_word = 0
        while filled < length:
            whole, room = self._document or self._draw(), length - filled
            if self._waits(whole, room):
                words[filled:], positions[filled:] = -1, np.arange(room)
                break
            document, stop = whole.part(self._offset, room, vocabulary)
            self._offset = stop if stop < len(whole) else 0
            self._document = whole if self._offset else None
            part = slice(filled, filled + len(document))
            ids[part], weights[part] = document.ids, document.weights
            words[part] = np.where(document.words >= 0, document.words + first_word, -1)
            first_word = max(first_word, 1 + int(words[part].max()))
            positions[part] = np.arange(len(document))
            sources[part] = self._source
            filled += len(document)
        tokens = torch.from_numpy(ids)[None]
        rng = random.Random(f"{self._seed} {self._lane} {self._rows} units")
        self._rows += 1
        replaced = self._form.replaced
        inputs = replace_units(tokens, self._form.phonetic, rng, replaced) if replaced else tokens
        return Rows(
            tokens, inputs, *(torch.from_numpy(x)[None] for x in (sources, words, positions, weights))
        )

    def _waits(self, whole: Document, room: int) -> bool:
        """Whether what comes next of a document is to begin the next row, as too little room is left in this one."""
        length = self._form.length
        if self._form.loss == "answer" and not self._offset and len(whole) <= length:
            return room < len(whole)
        return room < whole.undivided(self._offset, self._form.vocabulary) <= length

    def _draw(self) -> Document:
        """Draw the next document, from the sources that have fewer tokens than their share."""
        shares = [source.share for source in self._form.mixture]
        # a row more than there are, so that there is always a choice
        tokens = (sum(self._tokens) + self._form.length) / sum(shares)
        lacking = [max(0.0, share * tokens - had) for share, had in zip(shares, self._tokens, strict=True)]
        self._source = random.Random(f"{self._seed} {self._lane} {self._documents} source").choices(
            range(len(shares)), lacking
        )[0]
        self._document = document = self._read()
        self._documents += 1
        self._drawn[self._source] += 1
        self._tokens[self._source] += len(document)
        return document

    def _read(self) -> Document:
        rng = random.Random(f"{self._seed} {self._lane} {self._documents}")
        number = self._lane + self._lanes * self._drawn[self._source]
        labeled = self._form.mixture[self._source].draw(rng, number)
        try:
            return encode_document(labeled, self._form.vocabulary, self._form.loss)
        except TokenError as error:
            raise TokenError(f"in the training data: {error}") from error

    def state_dict(self) -> State:
        """What `load_state_dict` needs to continue after the last row: numbers and lists of them."""
        return {
            "rows": self._rows,
            "documents": self._documents,
            "drawn": list(self._drawn),
            "tokens": list(self._tokens),
            "source": self._source,
            "offset": self._offset,
            "waits": self._document is not None,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue after the last row of a lane of the same seed, number and mixture."""
        self._rows, self._documents = state["rows"], state["documents"]
        self._drawn, self._tokens = list(state["drawn"]), list(state["tokens"])
        self._source, self._offset = state["source"], state["offset"]
        self._document = None
        if state["waits"]:
            # draw the document again that the next row begins with
            self._documents -= 1
            self._drawn[self._source] -= 1
            self._document = self._read()
            self._documents += 1
            self._drawn[self._source] += 1


class LaneStream(Iterator[Rows]):
    """The rows of consecutive steps, one of each own lane, drawn in this process or in advance in worker processes.

    Every process of a training has a stream of its own lanes. The rows are the same with any number of workers.
    """

    def __init__(self, form: RowFormat, seed: int, lanes: int, own: range, workers: int = 0) -> None:
        """lanes: number of lanes of all processes. own: those of this process. workers: number of processes to fork at
        the first step; 0 for none.
        """
        self._lanes, self._own = lanes, own
        self._streams = {lane: Lane(form, seed, lane, lanes) for lane in own}
        self._states = {lane: stream.state_dict() for lane, stream in self._streams.items()}
        self._workers = min(workers, len(own))
        self._batches: Iterator[_Step] | None = None

    def __next__(self) -> Rows:
        """Return the rows of the next step, in the order of the lanes.

        Raises TokenError for a training sequence that the vocabulary can't encode.
        """
        if self._batches is None:
            self._batches = self._start()
        drawn: _Drawn = {}
        for _ in range(max(1, self._workers)):
            part = next(self._batches)
            if isinstance(part, SpiritLMError):
                self._batches = None  # ends the workers, for which the garbage collection would wait
                raise part
            drawn |= part
        self._states = {lane: state for lane, (_, state) in drawn.items()}
        return Rows.concatenate([drawn[lane][0] for lane in self._own])

    def _start(self) -> "Iterator[_Step]":
        lanes = _Lanes(self._streams)
        if not self._workers:
            return iter(lanes)
        # in the order of the workers: the rows of a step are one item of each
        return iter(
            DataLoader(
                lanes,
                batch_size=None,
                num_workers=self._workers,
                prefetch_factor=4,
                multiprocessing_context="fork",
            )
        )

    def state_dict(self) -> State:
        """The state after the last step, of the own lanes; `merge_states` joins those of several processes."""
        return {"lanes": self._lanes, "states": dict(self._states)}

    def load_state_dict(self, state: State) -> None:
        """Continue after the step of a state, which may have more lanes than the own ones.

        Raises CheckpointError if its training had another number of lanes.
        """
        lanes, states = state["lanes"], state["states"]
        if lanes != self._lanes:
            raise CheckpointError(
                f"the training had {lanes} rows in a step, now it has {self._lanes}; resume it with a --batch, "
                f"--accumulate and number of processes whose product is {lanes}"
            )
        for lane, stream in self._streams.items():
            stream.load_state_dict(states[lane])
        self._states = {lane: states[lane] for lane in self._own}
        self._batches = None


def merge_states(states: Iterable[State]) -> State:
    """Join the states that the streams of all processes have after the same step."""
    parts = list(states)
    return {"lanes": parts[0]["lanes"], "states": {k: v for part in parts for k, v in part["states"].items()}}


# The rows of a step by lane, with the lane's state after it; or why they can't be made.
_Drawn = dict[int, tuple[Rows, State]]
_Step = _Drawn | SpiritLMError


class _Lanes(IterableDataset[_Step]):
    """The rows of each step and the states after it, by lane: of all lanes, or of a worker's part of them.

    After an error there is no more.
    """

    def __init__(self, streams: dict[int, Lane]) -> None:
        self._streams = streams

    def __iter__(self) -> Iterator[_Step]:
        worker = get_worker_info()
        lanes = sorted(self._streams)
        if worker is not None:
            lanes = lanes[worker.id :: worker.num_workers]
        while True:
            # an error that a worker raised would have a traceback as its message
            try:
                drawn = {
                    lane: (self._streams[lane].next_row(), self._streams[lane].state_dict()) for lane in lanes
                }
            except SpiritLMError as error:
                yield error
                return
            yield drawn
