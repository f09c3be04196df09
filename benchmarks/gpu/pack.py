"""Pack a training corpus into one small file, for a machine that nothing else can be copied to.

    python benchmarks/gpu/pack.py --manifest clips.jsonl --units units.jsonl --phones phones.jsonl --labels labels.txt \
        --text stories.txt --held-out held-out.jsonl --output pack.tar [--limit-mb 20] [--no-sound]

The file is a tar of `clips.jsonl` and `held-out.jsonl` (manifests whose sound is `audio/ID.ogg`), `units.jsonl`,
`phones.jsonl`, `labels.txt`, `text.txt` and `pronunciations.json`, each compressed, and of the sound as mono Opus.
The pronunciations are the phones of every word of the texts, so that the other machine needs no pocketsphinx. Clips
for the language model need word times. The bit rate is the highest of a few at which the pack stays under the limit.
`train.py` reads it.
"""

import argparse
import io
import json
import lzma
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import soundfile

from spiritlm_cli.alignment.pocketsphinx import Pronouncer
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.manifest import read_manifest

# libsndfile's compression levels for Opus, from the highest bit rate to the lowest.
LEVELS = (0.8, 0.9, 0.94, 0.97, 1.0)
# Clips by which the size at a level is estimated.
SAMPLE = 24


def encode(clip: Clip, level: float) -> bytes:
    """A clip's sound as Ogg Opus."""
    waveform = read_clip(clip)
    buffer = io.BytesIO()
    soundfile.write(
        buffer, waveform.samples, waveform.rate, format="OGG", subtype="OPUS", compression_level=level
    )
    return buffer.getvalue()


def choose_level(clips: list[Clip], budget: int) -> float:
    """The level at which the sound of all clips takes up to `budget` bytes. Exits where none does."""
    step = max(1, len(clips) // SAMPLE)
    for level in LEVELS:
        sample = [len(encode(clip, level)) for clip in clips[::step]]
        if sum(sample) / len(sample) * len(clips) * 1.03 <= budget:
            return level
    sys.exit(
        f"the sound of {len(clips)} clips doesn't fit into {budget / 1e6:.1f} MB at any bit rate; give fewer clips"
    )


def manifest_lines(clips: Iterable[Clip]) -> str:
    """JSONL of clips whose sound is in the pack, with their words."""
    lines = []
    for clip in clips:
        row = {"id": clip.id, "audio": f"audio/{clip.id}.ogg", "text": clip.text, "speaker": clip.speaker}
        if clip.alignment:
            row["words"] = [{"word": w.word, "start": w.start, "end": w.end} for w in clip.alignment.words]
        lines.append(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")
    return "".join(lines)


def pronunciations(texts: Iterable[str]) -> dict[str, list[str]]:
    """The phones of every whitespace-separated token that can be pronounced."""
    pronouncer = Pronouncer()
    known: dict[str, list[str]] = {}
    for token in sorted({token for text in texts for token in text.split()}):
        try:
            known[token] = list(pronouncer(token))
        except AlignmentError:
            continue
    return known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("manifest", "units", "phones", "labels", "text", "held-out"):
        parser.add_argument(f"--{name}", type=Path, required=name in ("manifest", "units"))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit-mb", type=float, default=20.0, help="size of the pack (default 20)")
    parser.add_argument("--no-sound", action="store_true", help="for the language model alone")
    arguments = parser.parse_args()

    clips = list(read_manifest(arguments.manifest))
    held_out = list(read_manifest(arguments.held_out)) if arguments.held_out else []
    files = {
        "clips.jsonl": manifest_lines(clips).encode(),
        "held-out.jsonl": manifest_lines(held_out).encode(),
    }
    for name, path in (
        ("units.jsonl", arguments.units), ("phones.jsonl", arguments.phones), ("labels.txt", arguments.labels),
        ("text.txt", arguments.text),
    ):  # fmt: skip
        if path:
            files[name] = path.read_bytes()
    if arguments.text:
        words = pronunciations(arguments.text.read_text(encoding="utf-8").splitlines())
        files["pronunciations.json"] = json.dumps(words).encode()
    packed = {f"{name}.xz": lzma.compress(content) for name, content in files.items()}
    used = sum(len(content) + 1024 for content in packed.values())
    everything = [] if arguments.no_sound else [*clips, *held_out]
    # a tar's header and padding take up to 1 kB a file
    budget = int(arguments.limit_mb * 1e6) - used - 1024 * len(everything)
    level = choose_level(everything, budget) if everything else 0.0
    with tarfile.open(arguments.output, "w") as tar:
        for name, content in packed.items():
            _add(tar, name, content)
        for clip in everything:
            _add(tar, f"audio/{clip.id}.ogg", encode(clip, level))
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {size / 1e6:.1f} MB; sound of {len(everything)} clips at level {level}")
    if size > arguments.limit_mb * 1e6:
        sys.exit(f"over the limit of {arguments.limit_mb} MB")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


if __name__ == "__main__":
    main()
