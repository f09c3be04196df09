"""The clips that nano is measured on, none of which its parts are trained on.

SPEECH is a folder with `kokoro/metadata.tsv` (id, voice, speed, samples, text, wer) and `kokoro/ID.opus`, and with
`librispeech/transcripts.tsv` (id, text) and `librispeech/ID.flac`.
"""

import csv
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.manifests.clip import Clip

MAIN_VOICES = ("am_michael", "bf_emma", "af_heart", "bm_george")
# One sentence in so many is held out, in all voices; and one LibriSpeech speaker in so many, by number.
SENTENCES, SPEAKERS = 29, 6
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class CorpusClip:
    """A clip of the corpus. held_out: not to be trained on; real: recorded from a person."""

    clip: Clip
    held_out: bool
    real: bool


def read_corpus(speech: Path) -> Iterator[CorpusClip]:
    """Yield every clip of SPEECH, synthesized ones first."""
    with (speech / "kokoro" / "metadata.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            sentence = row["id"].partition("-")[2]
            held_out = zlib.crc32(sentence.encode()) % SENTENCES == 0
            path = speech / "kokoro" / f"{row['id']}.opus"
            yield CorpusClip(Clip(row["id"], path, text=row["text"], speaker=row["voice"]), held_out, False)
    transcripts = (speech / "librispeech" / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    rows = sorted((line.split("\t", 1) for line in transcripts), key=lambda row: int(row[0].split("-")[0]))
    numbers = sorted({int(name.split("-")[0]) for name, _ in rows})
    held = set(numbers[::SPEAKERS])
    for name, text in rows:
        number = int(name.split("-")[0])
        path = speech / "librispeech" / f"{name}.flac"
        yield CorpusClip(Clip(name, path, text=text, speaker=f"librispeech-{number}"), number in held, True)


def held_out(speech: Path, name: str) -> list[Clip]:
    """The held-out clips of a set: `main` (the vocoder's voices), `others` (other synthetic voices), `real`."""
    clips = [clip for clip in read_corpus(speech) if clip.held_out]
    if name == "real":
        return [clip.clip for clip in clips if clip.real]
    main = name == "main"
    return [c.clip for c in clips if not c.real and (c.clip.speaker in MAIN_VOICES) == main]


def new_sentences() -> list[Clip]:
    """Sentences of simple stories that are in no training text, in the main voices in turn."""
    clips = []
    lines = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()
    for line_number, text in enumerate(lines, 1):
        # the voice of line n is n modulo 4 of the list
        voice = MAIN_VOICES[line_number % len(MAIN_VOICES)]
        name = f"{voice}-new{line_number:02d}"
        clips.append(Clip(name, FOLDER / "clips" / f"{name}.opus", text=text, speaker=voice))
    return clips
