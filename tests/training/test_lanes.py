"""Lanes: the same rows with any number of processes and workers, and from any saved state."""

import random
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.epochs import Epochs
from spiritlm_cli.training.lanes import LaneStream, RowFormat, merge_states
from spiritlm_cli.training.mixture import Source
from spiritlm_cli.training.pairs import LabeledSequence
from spiritlm_cli.training.rows import Rows
from spiritlm_cli.training.vocabulary import train_vocabulary

LENGTH, LANES = 30, 4
TEXTS = [f"a b {'c ' * (7 * i % 30)}{i}" for i in range(20)]


def speech(rng: random.Random, number: int) -> LabeledSequence:
    units = tuple(Unit(Kind.HUBERT, rng.randrange(10)) for _ in range(rng.randint(1, 90)))
    return LabeledSequence(Sequence((SpeechSpan(units),)))


@pytest.fixture(scope="module")
def form() -> RowFormat:
    vocabulary = SentencePieceVocabulary(
        train_vocabulary(["a b c 12"] * 9, size=268, hubert=10, pitch=0, style=0)
    )
    text_of = Epochs(len(TEXTS), 0, "text")
    text = Source(3.0, lambda _, number: LabeledSequence(Sequence((TextSpan(TEXTS[text_of(number)]),))))
    return RowFormat([text, Source(1.0, speech)], vocabulary, LENGTH, replaced=0.2)


def stream(form: RowFormat, own: range = range(LANES), workers: int = 0, seed: int = 1) -> LaneStream:
    return LaneStream(form, seed, LANES, own, workers)


def assert_equal(one: Rows, other: Rows) -> None:
    for name in ("tokens", "inputs", "sources", "words", "positions", "weights"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("workers", [1, 2])
def test_lane_stream_is_the_same_with_workers(form: RowFormat, workers: int) -> None:
    for one, other in zip(islice(stream(form), 6), stream(form, workers=workers), strict=False):
        assert one.tokens.shape == (LANES, LENGTH)
        assert_equal(one, other)


def test_lane_stream_is_the_same_in_several_processes(form: RowFormat) -> None:
    whole, parts = stream(form), [stream(form, range(2)), stream(form, range(2, 4))]
    for _ in range(6):
        assert_equal(next(whole), Rows.concatenate([next(part) for part in parts]))
    assert merge_states(part.state_dict() for part in parts) == whole.state_dict()


@pytest.mark.parametrize(("steps", "workers"), [(1, 0), (4, 2), (9, 0)])
def test_lane_stream_continues_from_its_state(form: RowFormat, steps: int, workers: int) -> None:
    whole, begun = stream(form), stream(form, workers=2 - workers)
    for _ in range(steps):
        next(whole)
        next(begun)
    state = begun.state_dict()
    # as several processes of a resumed training read it
    resumed = [stream(form, own, workers) for own in (range(1), range(1, 4))]
    for part in resumed:
        part.load_state_dict(state)
        next(part)
        part.load_state_dict(state)
    for _ in range(4):
        assert_equal(next(whole), Rows.concatenate([next(part) for part in resumed]))


def test_lane_stream_refuses_another_number_of_lanes(form: RowFormat) -> None:
    state = stream(form).state_dict()
    with pytest.raises(CheckpointError, match="had 4 rows in a step, now it has 6"):
        LaneStream(form, 1, 6, range(6)).load_state_dict(state)


@pytest.mark.parametrize("workers", [0, 1])
def test_lane_stream_raises_for_a_unit_that_the_vocabulary_lacks(form: RowFormat, workers: int) -> None:
    unknown = LabeledSequence(Sequence((SpeechSpan((Unit(Kind.HUBERT, 10),)),)))
    with pytest.raises(
        TokenError, match=r"^in the training data: \[Hu10\]: the model has \[Hu0\] to \[Hu9\]$"
    ):
        next(stream(replace(form, mixture=[Source(1.0, lambda _, number: unknown)]), workers=workers))


def test_lane_stream_has_the_shares_in_tokens(form: RowFormat) -> None:
    rows = Rows.concatenate(list(islice(stream(form), 60)))
    assert (rows.sources == 0).float().mean() == pytest.approx(0.75, abs=0.02)
    # of each lane too
    lane = rows.sources[::LANES]
    assert (lane == 0).float().mean() == pytest.approx(0.75, abs=0.05)


def test_lane_stream_depends_on_the_seed(form: RowFormat) -> None:
    assert not torch.equal(next(stream(form)).tokens, next(stream(form, seed=2)).tokens)
    lanes = next(stream(form)).tokens
    assert not torch.equal(lanes[0], lanes[1])


def test_lanes_have_each_document_of_an_epoch_once(form: RowFormat) -> None:
    drawn: list[int] = []

    def draw(_: random.Random, number: int) -> LabeledSequence:
        drawn.append(number)
        return LabeledSequence(Sequence((TextSpan("a b c a b c"),)))

    list(islice(stream(RowFormat([Source(1.0, draw)], form.vocabulary, LENGTH)), 10))
    per_lane = [[n for n in drawn if n % LANES == lane] for lane in range(LANES)]
    assert per_lane == [
        list(range(lane, LANES * len(numbers), LANES)) for lane, numbers in enumerate(per_lane)
    ]


def test_lane_continues_a_document_that_does_not_fit(form: RowFormat) -> None:
    vocabulary = form.vocabulary
    units = [i % 10 for i in range(75)]
    long = Sequence((TextSpan("a b"), SpeechSpan(tuple(Unit(Kind.HUBERT, i) for i in units))))
    source = Source(1.0, lambda _, number: LabeledSequence(long))
    rows = list(islice(LaneStream(RowFormat([source], vocabulary, LENGTH), 0, 1, range(1)), 3))
    tokens = torch.cat([row.tokens[0] for row in rows])
    weights = torch.cat([row.weights[0] for row in rows])
    positions = torch.cat([row.positions[0] for row in rows])
    start, marker = vocabulary.bos_id, vocabulary.marker_ids["speech"]
    for row in rows[1:]:
        assert row.tokens[0, :2].tolist() == [start, marker]
        assert row.positions[0, :3].tolist() == [0, 1, 2]
        assert row.weights[0, :3].tolist() == [0, 0, 1]
    assert set(weights.tolist()) == {0, 1}
    # without what is repeated, the rows are the document, and then its beginning
    repeated = (weights == 0) & (torch.arange(90) > 0)
    whole = [*vocabulary.encode(long), vocabulary.eos_id]
    assert tokens[~repeated][: len(whole)].tolist() == whole
    assert positions[tokens == start].tolist() == [0] * int((tokens == start).sum())
    assert rows[0].inputs is rows[0].tokens or torch.equal(rows[0].inputs, rows[0].tokens)


def test_lane_does_not_divide_answers(form: RowFormat) -> None:
    def pair(rng: random.Random, number: int) -> LabeledSequence:
        units = tuple(Unit(Kind.HUBERT, rng.randrange(10)) for _ in range(rng.randint(1, 15)))
        answers = np.full(len(units), -1), np.zeros(3, dtype=np.int64)
        return LabeledSequence(Sequence((SpeechSpan(units), TextSpan("a b"))), answers=answers)

    form = replace(form, mixture=[Source(1.0, pair)], loss="answer", replaced=0.0)
    whole, trained = stream(form), []
    for _ in range(6):
        state, rows = whole.state_dict(), next(whole)
        resumed = stream(form)
        resumed.load_state_dict(state)
        assert_equal(rows, next(resumed))
        for weights, positions in zip(rows.weights, rows.positions, strict=True):
            starts = [*(positions == 0).nonzero()[:, 0].tolist(), LENGTH]
            trained += [int(weights[first:stop].sum()) for first, stop in pairwise(starts)]
    # whole answers, and the ends of rows
    assert len(set(trained) - {0}) == 1
    assert trained.count(0) < 6 * LANES


def test_lane_divides_between_pairs(form: RowFormat) -> None:
    def draw(rng: random.Random, number: int) -> LabeledSequence:
        pairs = range(rng.randint(1, 4))
        units = [
            tuple(Unit(Kind.HUBERT, rng.randrange(10)) for _ in range(rng.randint(1, 15))) for _ in pairs
        ]
        answers = [label for i in pairs for label in (np.full(len(units[i]), -1), np.full(3, i))]
        spans = tuple(span for i in pairs for span in (SpeechSpan(units[i]), TextSpan("a b")))
        return LabeledSequence(Sequence(spans), answers=tuple(answers))

    whole = stream(replace(form, mixture=[Source(1.0, draw)], replaced=0.0))
    text = form.vocabulary.encode(Sequence((TextSpan("a b"),)))[1:]
    for _ in range(8):
        state, rows = whole.state_dict(), next(whole)
        resumed = stream(replace(form, mixture=[Source(1.0, draw)], replaced=0.0))
        resumed.load_state_dict(state)
        assert_equal(rows, next(resumed))
        for tokens, positions, weights in zip(rows.tokens, rows.positions, rows.weights, strict=True):
            trained = tokens[: int(weights.nonzero()[-1]) + 1].tolist()
            starts = [i for i, token in enumerate(trained) if token == text[0]]
            # each text is whole, and in the document of its speech
            for start in starts[: -1 if trained[-1] == text[0] else None]:
                assert trained[start : start + len(text)] == text
                assert positions[start] > 2
            # what is left empty is less than a pair
            assert len(trained) > LENGTH - 24
