"""ABX: how often a phone is closer to another one of its kind than to a different phone, in the same context.

Source: Schatz et al. 2013, "Evaluating speech features with the minimal-pair ABX task", in the form of libri-light
(Kahn et al. 2020, arXiv 1912.07875) and ZeroSpeech 2021.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.abx_distance import Distances, Features, token_distances
from spiritlm_cli.evaluation.abx_items import AbxToken

Mode = Literal["within", "across"]
Phones = dict[str, tuple[AbxToken, ...]]


@dataclass(frozen=True)
class AbxGroup:
    """The tokens of one context that are compared: A and B of one speaker, X of the same or of another one.

    phones: tokens of A and B by phone. x_phones: tokens of X; the same as `phones` if the speaker is the same. Both in
    the drawn order, of which the first `max_group` that have frames are used. source: the item file.
    """

    mode: Mode
    context: tuple[str, str]
    speaker: str
    x_speaker: str
    phones: Phones
    x_phones: Phones
    source: Path | str = ""

    @property
    def id(self) -> str:
        """A name that no other group has."""
        return " ".join((self.mode, self.speaker, self.x_speaker, *self.context))

    @property
    def files(self) -> set[str]:
        """Names of the audio files of all tokens."""
        both = (*self.phones.values(), *self.x_phones.values())
        return {token.file for tokens in both for token in tokens}


@dataclass(frozen=True)
class AbxCell:
    """Error of one ordered pair of phones in one context: the share of triples in which B is closer to X than A.

    triples: number of (a, b, x). A tie counts half.
    """

    a: str
    b: str
    error: float
    triples: int


@dataclass(frozen=True)
class AbxLimits:
    """What is drawn of many tokens; None: all.

    max_group: tokens of one phone, speaker and context. max_x: speakers of X.
    """

    max_group: int | None = 10
    max_x: int | None = 5
    seed: int = 0


def abx_groups(
    tokens: Iterable[AbxToken], mode: Mode, limits: AbxLimits | None = None, source: Path | str = ""
) -> Iterator[AbxGroup]:
    """Yield the groups of the tokens of an item file, in the order of their first tokens. source: the item file.

    What is drawn depends on the seed and on the names, not on the order of the groups.
    """
    limits = limits or AbxLimits()
    by_context: dict[tuple[str, str], dict[str, dict[str, list[AbxToken]]]] = {}
    for token in tokens:
        speakers = by_context.setdefault(token.context, {})
        speakers.setdefault(token.speaker, {}).setdefault(token.phone, []).append(token)
    for context, speakers in by_context.items():
        drawn = {
            speaker: {phone: _shuffled(found, limits.seed) for phone, found in phones.items()}
            for speaker, phones in speakers.items()
        }
        for speaker, phones in drawn.items():
            if len(phones) < 2:
                continue
            if mode == "within":
                if any(len(found) > 1 for found in phones.values()):
                    yield AbxGroup(mode, context, speaker, speaker, phones, phones, source)
            else:
                for x_speaker, x_phones in _draw_x(context, speaker, drawn, limits).items():
                    yield AbxGroup(mode, context, speaker, x_speaker, phones, x_phones, source)


def abx_cells(
    group: AbxGroup, frames: Callable[[AbxToken], Features], max_group: int | None = 10
) -> list[AbxCell]:
    """Compute the errors of all pairs of phones of a group.

    frames: returns the frames of a token; tokens without frames are left out. Raises ManifestError if frames of tokens
    can't be compared, since they have other sizes.
    """
    phones = {phone: _with_frames(tokens, frames, max_group) for phone, tokens in group.phones.items()}
    x_phones = phones
    if group.mode == "across":
        x_phones = {p: _with_frames(tokens, frames, max_group) for p, tokens in group.x_phones.items()}
    phones, x_phones = (
        {phone: tokens for phone, tokens in side.items() if tokens} for side in (phones, x_phones)
    )
    if not phones or not x_phones:
        return []
    if len(sizes := {features.shape[1:] for side in (phones, x_phones) for features in _joined(side)}) > 1:
        kinds = " and ".join(sorted(f"{size[0]} dimensions" if size else "units" for size in sizes))
        raise ManifestError(
            f"{group.source}: {group.id}: its features are of {kinds}, which can't be compared"
        )
    distances = _split(token_distances(_joined(x_phones), _joined(phones)), x_phones, phones)
    within = group.mode == "within"
    return [
        AbxCell(a, b, *_error(distances[a, a], distances[a, b], within))
        for a in x_phones
        if a in phones and not (within and len(phones[a]) < 2)
        for b in phones
        if b != a
    ]


def _draw_x(
    context: tuple[str, str], speaker: str, drawn: dict[str, Phones], limits: AbxLimits
) -> dict[str, Phones]:
    """The tokens of X by speaker, for each phone of `speaker` those of up to `max_x` other speakers."""
    chosen: dict[str, Phones] = {}
    for phone in drawn[speaker]:
        others = [other for other, phones in drawn.items() if other != speaker and phone in phones]
        rng = _generator(limits.seed, *context, speaker, phone)
        order = rng.permutation(len(others))[: limits.max_x]
        for index in sorted(order.tolist()):
            chosen.setdefault(others[index], {})[phone] = drawn[others[index]][phone]
    return chosen


def _shuffled(tokens: Sequence[AbxToken], seed: int) -> tuple[AbxToken, ...]:
    first = tokens[0]
    order = _generator(seed, first.speaker, *first.context, first.phone).permutation(len(tokens))
    return tuple(tokens[index] for index in order)


def _generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(" ".join(names).encode())])


def _with_frames(
    tokens: Sequence[AbxToken], frames: Callable[[AbxToken], Features], max_group: int | None
) -> list[Features]:
    found: list[Features] = []
    for token in tokens:
        if max_group is not None and len(found) == max_group:
            break
        if len(features := frames(token)):
            found.append(features)
    return found


def _joined(phones: dict[str, list[Features]]) -> list[Features]:
    return [features for tokens in phones.values() for features in tokens]


def _split(
    distances: Distances, x: dict[str, list[Features]], y: dict[str, list[Features]]
) -> dict[tuple[str, str], Distances]:
    """Cut distances into a block for each pair of phones."""
    rows = np.split(distances, np.cumsum([len(tokens) for tokens in x.values()])[:-1])
    ends = np.cumsum([len(tokens) for tokens in y.values()])[:-1]
    return {
        (a, b): block
        for a, row in zip(x, rows, strict=True)
        for b, block in zip(y, np.split(row, ends, axis=1), strict=True)
    }


def _error(to_a: Distances, to_b: Distances, within: bool) -> tuple[float, int]:
    """The error, and the number of triples. to_a: (x, a); to_b: (x, b). within: x and a are the same tokens."""
    pairs: NDArray[np.bool_] = np.ones(to_a.shape, dtype=bool)
    if within:
        np.fill_diagonal(pairs, False)
    a, b = to_a[:, :, None], to_b[:, None, :]
    right = ((a < b) + 0.5 * (a == b))[pairs]
    return float(1 - right.mean()), right.size
