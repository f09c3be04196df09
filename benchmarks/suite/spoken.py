"""What the clips of the suite say: every text of `texts/` that is spoken, with its voice and the name of its clip.

    python benchmarks/suite/spoken.py --voice af_heart > af_heart.txt

prints the lines `name<TAB>text` of one voice for a synthesizer, which writes `VOICE-NAME` in any format for each line.
`clips/` was made so with Kokoro-82M at speed 1.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
VOICES = ("af_heart", "am_michael", "bf_emma", "bm_george")
# Words and sentences are spoken in these, commands in all.
TWO_VOICES = VOICES[:2]


@dataclass(frozen=True)
class Spoken:
    """A text to be spoken. name: of the clip, unique within its voice."""

    voice: str
    name: str
    text: str

    @property
    def id(self) -> str:
        """The name of the clip's file."""
        return f"{self.voice}-{self.name}"


def read_texts(name: str) -> list[dict[str, str]]:
    """The rows of `texts/NAME.tsv`."""
    with (FOLDER / "texts" / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def story_voice(index: int) -> str:
    """The voice of a story or a prompt, by its position in its file."""
    return TWO_VOICES[index % len(TWO_VOICES)]


def spoken() -> Iterator[Spoken]:
    """All texts, in the order of the files."""
    for voice in TWO_VOICES:
        for index, row in enumerate(read_texts("words"), 1):
            yield Spoken(voice, f"word{index:02d}-good", f"{row['word']}.")
            yield Spoken(voice, f"word{index:02d}-bad", f"{row['nonword']}.")
        for index, row in enumerate(read_texts("sentences"), 1):
            for side in ("good", "bad"):
                yield Spoken(voice, f"sentence{index:02d}-{side}", row[side])
    for index, row in enumerate(read_texts("stories")):
        voice = story_voice(index)
        beginning = " ".join(row[f"sentence{i}"] for i in range(1, 5))
        for part, text in (("mutual", beginning), ("right", row["right"]), ("wrong", row["wrong"])):
            yield Spoken(voice, f"{row['id']}-{part}", text)
    for voice in VOICES:
        for index, row in enumerate(read_texts("commands"), 1):
            for phrase in (1, 2):
                yield Spoken(voice, f"command{index:02d}-{phrase}", f"{row[f'phrase{phrase}']}.")
    for index, row in enumerate(read_texts("sentiments")):
        yield Spoken(story_voice(index), f"sentiment{index + 1:02d}", row["text"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--voice", choices=VOICES, required=True, help="only the texts of this voice")
    arguments = parser.parse_args()
    for item in spoken():
        if item.voice == arguments.voice:
            print(f"{item.name}\t{item.text}")


if __name__ == "__main__":
    main()
