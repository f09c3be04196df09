"""TextGrids of units, words and texts, for Praat."""

from spiritlm_cli.alignment.formats.textgrid import Interval, Tier, format_tiers, word_intervals
from spiritlm_cli.errors import TokenError
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.timeline import STREAM_NAMES, Lane, TextMark
from spiritlm_cli.manifests.clip import Word


def format_units_textgrid(inspected: Inspected) -> str:
    """A TextGrid of a clip or token line, in Praat's long text format.

    It has a tier of intervals for each stream (phonetic, pitch and style) with a label such as `Hu28` for each run; for
    the words, where their times are known; and of a clip with a text, one of a single interval. The texts of a token
    line are points. Intervals have a duration in Praat: a unit or word that has none is added to the label of the one
    before it, or of the first (`Pi3 Pi7`).
    Raises TokenError for an input without speech.
    """
    timeline = inspected.timeline
    end = max(inspected.seconds, timeline.seconds, *(word.end for word in inspected.words))
    if end <= 0:
        raise TokenError(f"{inspected.id}: a TextGrid can't be written, since there is no speech in it")
    tiers = [
        Tier(STREAM_NAMES[lane.kind], word_intervals(_labels(lane), end))
        for lane in timeline.lanes
        if len(lane)
    ]
    if inspected.words:
        tiers.append(Tier("words", word_intervals(inspected.words, end)))
    if inspected.text is not None:
        tiers.append(Tier("text", [Interval(0.0, end, inspected.text)]))
    if timeline.texts:
        tiers.append(Tier("text", _points(timeline.texts), of_points=True))
    return format_tiers(tiers, end)


def _labels(lane: Lane) -> list[Word]:
    """The runs of a stream, with labels such as `Hu28`."""
    times = zip(lane.ids.tolist(), lane.starts.tolist(), lane.ends.tolist(), strict=True)
    return [Word(f"{lane.kind.value}{unit}", start, end) for unit, start, end in times]


def _points(texts: tuple[TextMark, ...]) -> list[Interval]:
    """Points for texts. Those at the same time are one, since Praat has one point at a time."""
    labels: dict[float, list[str]] = {}
    for mark in texts:
        labels.setdefault(mark.seconds, []).append(mark.text.strip())
    return [Interval(seconds, seconds, " ".join(label)) for seconds, label in labels.items()]
