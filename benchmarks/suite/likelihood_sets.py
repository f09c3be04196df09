"""Sets whose items are compared by likelihood: words, sentences, pauses, changes of the sound, and stories."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from sounds import (
    RATE,
    Aligner,
    Samples,
    insert_pause,
    join,
    load,
    noise,
    reverberate,
    save,
    silence,
    with_noise,
)
from spoken import TWO_VOICES, VOICES, read_texts, story_voice

from spiritlm_cli.english.g2p import letters_to_phones

# Voices of the same gender: the first and the third are women's, the others men's.
_SAME_GENDER = {0: 2, 1: 3, 2: 0, 3: 1}


def make_lexical(root: Path, clips: Path, stories: Path) -> None:
    """sWUGGY's layout. frequency: occurrences of a word in the stories."""
    counts = Counter(re.findall(r"[a-z']+", stories.read_text(encoding="utf-8").lower()))
    rows = []
    for index, row in enumerate(read_texts("words"), 1):
        for voice in TWO_VOICES:
            for side, text in (("good", row["word"]), ("bad", row["nonword"])):
                phones = letters_to_phones(text)
                frequency = str(counts[text]) if side == "good" else ""
                name = _copy(clips, f"{voice}-word{index:02d}-{side}", root / "lexical" / "dev")
                rows.append(
                    [name, index, voice, frequency, text, " ".join(phones), len(phones), int(side == "good")]
                )
    header = "filename,id,voice,frequency,word,phones,length,correct"
    _write_csv(root / "lexical" / "dev" / "gold.csv", header, rows)


def make_syntactic(root: Path, clips: Path) -> None:
    """sBLIMP's layout."""
    rows = []
    for index, row in enumerate(read_texts("sentences"), 1):
        for voice in TWO_VOICES:
            for side in ("good", "bad"):
                name = _copy(clips, f"{voice}-sentence{index:02d}-{side}", root / "syntactic" / "dev")
                rows.append([name, index, voice, row["type"], row["subtype"], row[side], int(side == "good")])
    _write_syntactic(root / "syntactic" / "dev", rows)


def make_prosaudit(root: Path, clips: Path) -> None:
    """ProsAudit's layout: a pause between two sentences, or within one; a pause between words, or within one."""
    folder, aligner = root / "english" / "dev", Aligner()
    rows = []
    for index, row in enumerate(read_texts("stories")):
        voice = story_voice(index)
        sentences = [row[f"sentence{i}"] for i in range(1, 5)]
        text = " ".join(sentences)
        samples = load(clips, f"{voice}-{row['id']}-mutual")
        words = aligner.words(samples, text)
        # the first word of the third sentence, and one in the middle of the second
        second, third = (len(" ".join(sentences[:count]).split()) for count in (1, 2))
        middle = (second + third) // 2
        long = max(range(third, len(words)), key=lambda i: words[i].end - words[i].start)
        times = {
            "protosyntax": (words[third].start, words[middle].start),
            "lexical": (words[long].start, (words[long].start + words[long].end) / 2),
        }
        for kind, pauses in times.items():
            for correct, seconds in zip((1, 0), pauses, strict=True):
                name = f"{kind}-{row['id']}-{correct}"
                save(folder / f"{name}.wav", insert_pause(samples, seconds))
                rows.append([name, index + 1, voice, kind, kind, text, correct])
    _write_syntactic(folder, rows)


def make_salmon(root: Path, clips: Path) -> None:
    """Four of SALMon's eight sets: the voice, its gender, the background or the room changes halfway, or does not."""
    texts = range(1, len(read_texts("sentences")) // 2 + 1)
    for number, index in enumerate(texts):
        voice = TWO_VOICES[number % 2]
        other = TWO_VOICES[1 - number % 2]
        first = load(clips, f"{voice}-sentence{index:02d}-good")
        same, changed = (load(clips, f"{v}-sentence{index + len(texts):02d}-good") for v in (voice, other))
        _write_sample(root / "gender_consistency", number, _pause(first, same), _pause(first, changed))
        both = _pause(first, same)
        half = len(first) + RATE // 10
        kinds = ("white", "brown", "hum")
        before, after = (noise(kinds[(number + step) % 3], len(both)) for step in (0, 1))
        mixed = join(before[:half], after[half:])
        _write_sample(root / "bg_all_consistency", number, with_noise(both, before), with_noise(both, mixed))
        near, far = reverberate(both, 0.2), reverberate(both, 1.0)
        rooms = (near, far) if number % 2 else (far, near)
        _write_sample(root / "rir_consistency", number, rooms[0], join(rooms[0][:half], rooms[1][half:]))
    commands = len(read_texts("commands"))
    for number in range(2 * commands):
        index = number % commands + 1
        mine = 2 * (number // commands) + number % 2
        voices = VOICES[mine], VOICES[_SAME_GENDER[mine]]
        first = load(clips, f"{voices[0]}-command{index:02d}-1")
        same, changed = (load(clips, f"{v}-command{index % commands + 1:02d}-2") for v in voices)
        _write_sample(root / "speaker_consistency", number, _pause(first, same), _pause(first, changed))


def make_stories(data: Path, clips: Path) -> None:
    """The layout of the cross-modal sets: story, right and wrong ending, each as a WAV file and as text.

    In `cross_sSC` the wrong ending is written for the story; in `cross_tSC` it is the right one of another story.
    """
    rows = read_texts("stories")
    for index, row in enumerate(rows):
        voice = story_voice(index)
        other = rows[(index + 2 * len(TWO_VOICES)) % len(rows)]
        mutual = " ".join(row[f"sentence{i}"] for i in range(1, 5))
        for benchmark, wrong in (("cross_sSC", (row, "wrong")), ("cross_tSC", (other, "right"))):
            folder = data / benchmark / voice
            parts = {
                "mutual": (mutual, f"{row['id']}-mutual"),
                "correct": (row["right"], f"{row['id']}-right"),
                "incorrect": (wrong[0][wrong[1]], f"{wrong[0]['id']}-{wrong[1]}"),
            }
            for part, (text, clip) in parts.items():
                save(folder / f"{row['id']}_{part}.wav", load(clips, f"{voice}-{clip}"))
                (folder / f"{row['id']}_{part}.txt").write_text(text, encoding="utf-8")


def _pause(first: Samples, second: Samples) -> Samples:
    return join(first, silence(0.2), second)


def _write_sample(folder: Path, number: int, right: Samples, wrong: Samples) -> None:
    save(folder / f"sample_{number}_0.wav", right)
    save(folder / f"sample_{number}_1.wav", wrong)


def _copy(clips: Path, name: str, folder: Path) -> str:
    """Write a clip as WAV. Returns its name without the suffix."""
    save(folder / f"{name}.wav", load(clips, name))
    return name


def _write_syntactic(folder: Path, rows: Iterable[Sequence[object]]) -> None:
    _write_csv(folder / "gold.csv", "filename,id,voice,type,subtype,transcription,correct", rows)


def _write_csv(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
