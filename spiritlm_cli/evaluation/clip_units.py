"""Units of the clips of items, tokenized in batches."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.units import Units

T = TypeVar("T")

# Items whose clips are tokenized before any is used: several batches.
_ITEMS_AT_ONCE = 256


def encode_clips(
    items: Iterable[T],
    clips: Callable[[T], Iterable[Clip]],
    tokenizer: Callable[[], SpeechTokenizer],
    batch_seconds: float | None = None,
    workers: int = 2,
) -> Iterator[list[tuple[T, Outcome[Units]]]]:
    """Yield the items in order, in lists, each item with the units of its clips or the first error among them.

    What a list holds is computed, so that its items may be taken in another thread: a thread that is inside a network
    when the program ends crashes it.

    clips: of an item, the same at each call. tokenizer: called if there are clips. batch_seconds, workers: see
    `SpeechTokenizer.encode_stream`.
    """
    items = iter(items)
    while chunk := list(islice(items, _ITEMS_AT_ONCE)):
        wanted = [clip for item in chunk for clip in clips(item)]
        encoded = iter(_encoded(tokenizer(), wanted, batch_seconds, workers) if wanted else ())
        yield [(item, _joined([next(encoded) for _ in clips(item)])) for item in chunk]


def _encoded(
    tokenizer: SpeechTokenizer, clips: list[Clip], batch_seconds: float | None, workers: int
) -> list[Outcome[Units]]:
    with closing(tokenizer.encode_stream(clips, batch_seconds=batch_seconds, workers=workers)) as stream:
        # Take the units of each now: they are lost when the next clip is requested.
        return [_computed(outcome) for _, outcome in stream]


def _computed(outcome: Outcome[Units]) -> Outcome[Units]:
    try:
        units = outcome.result()
    except SpiritLMError as error:
        return Outcome.failure(error)
    return Outcome([units])


def _joined(outcomes: list[Outcome[Units]]) -> Outcome[Units]:
    return Outcome(outcome.result() for outcome in outcomes)
