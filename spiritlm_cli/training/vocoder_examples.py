"""Training examples of the vocoder: recordings and the units that they are synthesized from."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.console import notify
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.tokens.timeline import frame_units, merge_streams, run_starts
from spiritlm_cli.tokens.units import FrameUnits, Kind, Units
from spiritlm_cli.training.data import Recording, load_recordings, notify_left_out, read_units
from spiritlm_cli.training.vocoder_options import VocoderOptions
from spiritlm_cli.vocoder.config import HifiGanConfig


class Example:
    """A recording and the units that it is synthesized from.

    units: (n,) int64, phonetic units with runs merged; durations: (n,) int64, their frames. frames: units of each 40 ms
    frame as in decoding with durations kept. runs: as in decoding a sequence without repeats, where pitch and style
    change only at a new phonetic unit. Both (3, frames) int64: phonetic, pitch, style; for a base vocoder (1, frames).
    length: frames that have audio.
    """

    def __init__(self, recording: Recording, units: Units, speaker: int, expressive: bool = True) -> None:
        """units: with repeats. speaker: its id. expressive: whether pitch and style units are inputs.

        Raises ManifestError if they are, and missing.
        """
        if not expressive:
            units = Units(units.hubert)
        self.samples = recording.samples
        self.speaker = speaker
        merged = frame_units(merge_streams(units).units)
        starts = run_starts(units.hubert)
        self.units = merged.hubert
        self.durations = np.diff(np.r_[starts, len(units.hubert)])
        self.frames = _stack(frame_units(merge_streams(units, keep_repeats=True).units), expressive)
        self.runs = np.repeat(_stack(merged, expressive), self.durations, axis=1)
        self.length = min(len(units.hubert), recording.frames)


def _stack(units: FrameUnits, expressive: bool) -> NDArray[np.int64]:
    if not expressive:
        return units.hubert[None]
    if units.pitch is None or units.style is None:
        raise ManifestError(
            "the vocoder is trained on expressive units: pitch or style is missing; --kind base does without"
        )
    return np.stack([units.hubert, units.pitch, units.style])


def read_examples(options: VocoderOptions) -> tuple[list[Example], list[str]]:
    """Read the clips of `options.speakers` that have units and are longer than a crop.

    Returns the examples, and the names of the speakers by id. Raises ManifestError if there are none.
    """
    units = read_units(options.units)
    if not options.speaker_names and not any(
        c.id in units and c.speaker for c in read_manifest(options.manifest)
    ):
        raise ManifestError(
            f"{options.manifest}: no clip with units in {options.units} has a speaker; the manifest needs the column "
            "`speaker`"
        )
    loaded = load_recordings(options.manifest, options.output / "training", shortest=1.0)
    known = {r.clip.speaker for r in loaded if r.clip.id in units and r.clip.speaker}
    speakers = list(options.speaker_names) or sorted(known)
    for name in speakers:
        if name.splitlines() != [name] or NOT_IN_TEXT.search(name):
            raise ManifestError(f"{options.manifest}: the name of a speaker can't hold a line end: {name!a}")
    examples = _examples(options.manifest, loaded, units, speakers, options)
    spoken = {e.speaker for e in examples}
    if silent := [name for index, name in enumerate(speakers) if index not in spoken]:
        notify(f"{options.manifest}: no clip to train on has the speaker {', '.join(silent)}")
    return examples, speakers


def read_held_out(options: VocoderOptions, speakers: list[str]) -> list[Example]:
    """Read the clips of `options.valid_manifest`, as `read_examples` does; none if it is not given."""
    if not options.valid_manifest:
        return []
    loaded = load_recordings(options.valid_manifest, options.output / "training", shortest=1.0)
    return _examples(options.valid_manifest, loaded, read_units(options.units), speakers, options)


def _examples(
    manifest: Path,
    loaded: list[Recording],
    units: dict[str, Units],
    speakers: list[str],
    options: VocoderOptions,
) -> list[Example]:
    """Examples of the clips of a manifest that can be used; the others are counted in a message."""
    examples = [
        Example(r, units[r.clip.id], speakers.index(r.clip.speaker), options.kind == "expressive")
        for r in loaded
        if r.clip.id in units and r.clip.speaker in speakers
    ]
    examples = [e for e in examples if e.length > options.frames]
    if not examples:
        raise ManifestError(
            f"{manifest}: no clip of {', '.join(speakers)} has over {options.frames} units in {options.units}"
        )
    notify_left_out(
        manifest,
        len(loaded),
        len(examples),
        f"have no units in {options.units}, {options.frames} or fewer, or none of the speakers",
    )
    return examples


def check_units(examples: list[Example], config: HifiGanConfig, source: Path) -> None:
    """Raise ManifestError if the vocoder has no embedding for a unit."""
    highest = np.max([e.frames.max(1) for e in examples], axis=0)
    counts = (config.num_embeddings, config.num_f0_tokens, config.num_style_tokens)
    for kind, last, count in zip(Kind, highest, counts, strict=False):
        if last >= count:
            raise ManifestError(f"{source}: has [{kind.value}{last}]; the vocoder's last is {count - 1}")
