"""Where `interleave` has its utterances from: sound, or stored units, each with its words and their times."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import InputLine

if TYPE_CHECKING:
    from spiritlm_cli.alignment.sources import WordTimes
    from spiritlm_cli.interleaving.interleave import Utterance
    from spiritlm_cli.manifests.clip import BadClip, Clip


def from_units(
    lines: "Iterator[InputLine]", clips: "Iterator[Clip | BadClip] | None", times: "WordTimes"
) -> "Iterator[tuple[InputLine, Outcome[Utterance]]]":
    """Each token line, with what gives its utterance; that raises SpiritLMError where the line can't be used.

    clips: those of the manifest that the lines were made from, in the same order; None where there is no manifest.
    Raises TokenError where a line's id is not that of the clip in its place.
    """
    for line in lines:
        clip = next(clips, None) if clips else None
        if clips and (clip is None or line.id not in (None, clip.id)):
            there = f"has {clip.id} there" if clip else "ends before it"
            raise TokenError(line.reason(TokenError(f"is of {line.name}, but the manifest {there}")))
        yield line, Outcome.of(partial(_stored, line, clip, times))
    if clips and (left := next(clips, None)):
        raise TokenError(
            f"the units end where the manifest has {left.id}; it must have as many clips as they lines"
        )


def _stored(line: InputLine, clip: "Clip | BadClip | None", times: "WordTimes") -> "Utterance":
    from spiritlm_cli.interleaving.utterances import make_utterance, restore_units
    from spiritlm_cli.manifests.clip import BadClip, Clip

    if isinstance(clip, BadClip):
        raise clip.error
    clip = clip or Clip(line.name, line.source)
    return make_utterance(clip.id, restore_units(line.sequence), times.submit(clip).result())
