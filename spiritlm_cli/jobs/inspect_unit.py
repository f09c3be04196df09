"""All places of a unit: `inspect unit`."""

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cached_property
from types import TracebackType
from typing import Any

from rich.console import Console

from spiritlm_cli.alignment.pocketsphinx import Phone, PocketsphinxAligner
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.audio.writing import AudioWriter
from spiritlm_cli.console import data_console, log, notify, one_line
from spiritlm_cli.errors import AlignmentError, AudioError, ManifestError, OptionError, SpiritLMError
from spiritlm_cli.files import naming
from spiritlm_cli.inspection.codebooks import model_codebooks
from spiritlm_cli.inspection.concordance import Place, PlaceCounts, Selection, find_places, parse_units
from spiritlm_cli.inspection.concordance_rendering import (
    print_heading,
    print_phones,
    print_place,
    print_place_counts,
)
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.inspector import Inspector
from spiritlm_cli.inspection.unit_phones import PhoneCounts
from spiritlm_cli.inspection.unit_sound import cut_place, pause
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inspect_inputs import inspect_inputs, new_inspector
from spiritlm_cli.jobs.options.inspect_unit import InspectUnitOptions
from spiritlm_cli.jobs.output import data_only
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform
from spiritlm_cli.manifests.labels import remove_labels
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.speech.windows import SAMPLE_RATE
from spiritlm_cli.tokens.units import Unit

__all__ = ["Concordance", "InspectUnitOptions", "run"]


@dataclass(frozen=True)
class Concordance(Summary):
    """What was searched, and how many places were found; phones: None unless they are asked for."""

    places: int = 0
    phones: PhoneCounts | None = None


def run(options: InspectUnitOptions) -> Concordance:
    """Print all places of a unit, and write their sound.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first input
    that can't be used.
    """
    options.check()
    codebooks = model_codebooks(options.model)
    for unit in parse_units(options.unit):
        if unit.id >= codebooks.get(unit.kind, math.inf):
            last = Unit(unit.kind, codebooks[unit.kind] - 1)
            raise OptionError(f"{unit}: the model has {Unit(unit.kind, 0)} to {last}", "UNIT")
    inspector = new_inspector(options, speaker=options.speaker)
    search = _Search(options, inspector)
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(options.on_error, options.errors))
        output = stack.enter_context(_Output(options, data_console()))
        progress = stack.enter_context(Progress("inputs", lines=not options.as_json))
        stack.enter_context(data_only())
        for item, outcome in stack.enter_context(
            closing(inspect_inputs(options.searched, inspector, words=True))
        ):
            failed = False
            try:
                for found in search.find(outcome.result()):
                    output.write(found)
            except SpiritLMError as error:
                failures.add(item, error)
                failed = True
            progress.advance(failed)
        for found in search.drawn():
            output.write(found)
        output.finish(search.counts, search.phones)
    return Concordance(search.counts.inputs, failures.count, search.counts.places, search.phones)


@dataclass(frozen=True, eq=False)
class _Found:
    """A place that is shown. samples: its sound, None without -o; before: seconds of it that are before the place;
    resynthesized: whether it is the vocoder's."""

    place: Place
    samples: FloatArray | None = None
    before: float = 0.0
    resynthesized: bool = False


class _Search:
    """Finds places. counts, phones: of all places, shown or not."""

    def __init__(self, options: InspectUnitOptions, inspector: Inspector) -> None:
        self._options, self._inspector = options, inspector
        self._units = parse_units(options.unit)
        self._selection: Selection[_Found] = Selection(options.limit, options.seed)
        self._clips = _read_clips(options.audio_of_lines) if options.output else {}
        self._aligner = PocketsphinxAligner() if options.phones else None
        self.counts = PlaceCounts()
        self.phones = PhoneCounts() if options.phones else None

    def find(self, inspected: Inspected) -> Iterator[_Found]:
        """Yield the places of an input that are certain to be shown."""
        if self.phones:
            inspected, phones = self._align(inspected)
        places = list(find_places(inspected, self._units, self._options.context))
        self.counts.add(places)
        if self.phones:
            self.phones.add(places, phones)
        sound = _InputSound(inspected, self._clips.get(inspected.id), self._inspector, self._options)
        for place in places:
            if self._selection.wants():
                yield from self._selection.add(sound.cut(place))

    def drawn(self) -> list[_Found]:
        """The places that were drawn at random."""
        return self._selection.drawn()

    def _align(self, inspected: Inspected) -> tuple[Inspected, tuple[Phone, ...] | None]:
        """An input with its words, and its phones. What can't be aligned costs the phones, and not the input."""
        if not (self._aligner and inspected.text and inspected.original):
            return inspected, None
        try:
            text = remove_labels(inspected.text, inspected.id)[0]
            alignment, phones = self._aligner.align_phones(inspected.original.waveform, text)
        except (AlignmentError, ManifestError) as error:
            log.warning("%s", one_line(f"{inspected.id}: phones not aligned ({error})"))
            return inspected, None
        return replace(inspected, words=inspected.words or alignment.words), phones


@dataclass(frozen=True, eq=False)
class _InputSound:
    """The sound of an input: its audio, or of a token line what the vocoder makes of it.

    clip: with the audio of a line, which is used if the line has its times.
    """

    inspected: Inspected
    clip: Clip | None
    inspector: Inspector
    options: InspectUnitOptions

    def cut(self, place: Place) -> _Found:
        """A place with its sound, if it is asked for."""
        if self.options.output is None or self._waveform is None:
            return _Found(place)
        context = self.options.context_ms / 1000
        samples, before = cut_place(self._waveform, place.start, place.end, context)
        return _Found(place, samples, before, self._is_resynthesized)

    @property
    def _is_resynthesized(self) -> bool:
        return self.inspected.original is None and (self.clip is None or self.inspected.timeline.predicted)

    @cached_property
    def _waveform(self) -> Waveform | None:
        if self.inspected.original:
            return self.inspected.original.waveform
        if self.clip and not self._is_resynthesized:
            return read_clip(self.clip, rate=SAMPLE_RATE, channel=self.options.channel)
        return self.inspector.synthesize(self.inspected)


def _read_clips(manifest: str | None) -> dict[str, Clip]:
    """The clips of a manifest by id; none without one."""
    return {clip.id: clip for clip in read_manifest(manifest)} if manifest else {}


class _Output:
    """Prints places as they are found, and writes their sound."""

    def __init__(self, options: InspectUnitOptions, console: Console) -> None:
        """console: of the stdout that data goes to."""
        self._options, self._console = options, console
        self._stack = ExitStack()
        self._sound: AudioWriter | None = None
        self._samples = self._shown = self._cut = self._resynthesized = 0
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> "_Output":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, found: _Found) -> None:
        """Print a place, and write its sound."""
        at = None if found.samples is None else self._write_sound(found.samples) + found.before
        self._shown += 1
        self._resynthesized += found.resynthesized
        self._cut += found.samples is not None and not found.resynthesized
        if self._options.as_json:
            sound = "resynthesis" if found.resynthesized else "original"
            heard = None if at is None else {"at": round(at, 3), "of": sound}
            self._rows.append(found.place.to_json() | {"sound": heard})
            return
        with naming("stdout"):
            if self._shown == 1:
                print_heading(self._console, self._options.context, self._options.output is not None)
            print_place(self._console, found.place, self._options.context, at)

    def _write_sound(self, samples: FloatArray) -> float:
        """Write the sound of a place. Returns where it begins, in seconds."""
        if self._sound is None:
            writer = AudioWriter(str(self._options.output), SAMPLE_RATE)
            self._sound = self._stack.enter_context(writer)
        else:
            self._sound.write(pause(SAMPLE_RATE))
            self._samples += len(pause(SAMPLE_RATE))
        start = self._samples
        self._sound.write(samples)
        self._samples += len(samples)
        return start / SAMPLE_RATE

    def finish(self, counts: PlaceCounts, phones: PhoneCounts | None) -> None:
        """Print the totals. Raises AudioError if there is no place for the file of -o."""
        query = " ".join(str(unit)[1:-1] for unit in parse_units(self._options.unit))
        with naming("stdout"):
            if self._options.as_json:
                fields = {"unit": query, **counts.to_json(), "shown": self._shown}
                fields |= {"phones": phones.to_json() if phones else None, "places": self._rows}
                print(json.dumps(fields, ensure_ascii=False), file=self._console.file)
            else:
                print_place_counts(self._console, query, counts, self._shown)
                if phones:
                    print_phones(self._console, phones)
            self._console.file.flush()
        if self._options.output is None:
            return
        if self._sound is None:
            raise AudioError(f"{self._options.output}: not written, as there is no place with sound")
        notify(
            f"{self._options.output}: {self._samples / SAMPLE_RATE:.1f} s; {self._cut} places are cut out of the "
            f"audio, {self._resynthesized} are the vocoder's"
        )
