"""`salmon`: recordings in which the voice, the mood, the room or the background changes, and ones in which it does not.

Maimon et al. 2025, "Salmon: A Suite for Acoustic Language Model Evaluation".
"""

import re
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.paired_files import find_folders, wav_files
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Pair
from spiritlm_cli.manifests.clip import Clip

# In the order of the benchmark's own tool.
PARTS = (
    "bg_alignment",
    "bg_all_consistency",
    "bg_domain_consistency",
    "gender_consistency",
    "rir_consistency",
    "sentiment_alignment",
    "sentiment_consistency",
    "speaker_consistency",
)
_NAME = re.compile(r"[^_]+_(?P<item>[0-9]{1,18})_(?P<sample>[0-9]{1,18})")


def read_salmon(path: Path | str) -> list[Pair | BadPair]:
    """Read the items of SALMon's folder, or of one of its parts; a pair's set is its part.

    `sample_{i}_0.wav` is the right recording of item i; `sample_{i}_1.wav` and further ones are wrong, each compared
    with the right one. Bad entries come first. Raises ManifestError if there are no such files.
    """
    folders = find_folders(
        Path(path), lambda folder: any(_NAME.fullmatch(file.stem) for file in wav_files(folder))
    )
    if not folders:
        raise ManifestError(
            f"{path}: no SALMon folder: no sample_0_0.wav is there, nor in folders such as {PARTS[0]}"
        )
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise ManifestError(
            f"{path}: several folders have the same name, {', '.join(sorted(set(names)))[:100]}"
        )
    ordered = sorted(folders, key=lambda folder: _position(folder.resolve().name))
    entries = [entry for folder in ordered for entry in _part(folder)]
    return sorted(entries, key=lambda entry: not isinstance(entry, BadPair))


def _position(name: str) -> tuple[int, str]:
    return PARTS.index(name) if name in PARTS else len(PARTS), name


def _part(folder: Path) -> list[Pair | BadPair]:
    part = folder.resolve().name
    entries: list[Pair | BadPair] = []
    items: dict[int, list[tuple[int, Path]]] = {}
    for file in wav_files(folder):
        match = _NAME.fullmatch(file.stem)
        if match is None:
            entries.append(_bad(part, file, "its name is not of the form sample_ITEM_SAMPLE.wav"))
        else:
            items.setdefault(int(match["item"]), []).append((int(match["sample"]), file))
    for _, samples in sorted(items.items()):
        samples.sort()
        (first, right), *wrong = samples
        numbers = [number for number, _ in samples]
        if len(set(numbers)) < len(numbers):
            entries += [
                _bad(part, file, "two samples of the item have the same number") for _, file in samples
            ]
        elif first != 0:
            entries += [_bad(part, file, "sample 0, the right one, is missing") for _, file in samples]
        elif not wrong:
            entries.append(_bad(part, right, "the wrong samples are missing"))
        else:
            name = f"{part}/{right.stem}"
            bad = tuple(_candidate(part, file) for _, file in wrong)
            entries.append(Pair(name, str(right), (_candidate(part, right),), bad, set=part))
    return entries


def _candidate(part: str, file: Path) -> Candidate:
    return Candidate(file.stem, str(file), Clip(f"{part}/{file.stem}", file))


def _bad(part: str, file: Path, reason: str) -> BadPair:
    return BadPair(f"{part}/{file.stem}", str(file), ManifestError(f"{file}: {reason}"), part)
