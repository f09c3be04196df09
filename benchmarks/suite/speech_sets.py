"""Sets of speech: recordings with texts, spoken commands, prompts with a sentiment, and phones."""

import csv
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from clip_sets import held_out, new_sentences, read_corpus
from sounds import load, save
from spoken import VOICES, read_texts, story_voice

from spiritlm_cli.alignment.formats.textgrid import Interval, Tier, format_tiers, word_intervals
from spiritlm_cli.alignment.pocketsphinx import Phone, PocketsphinxAligner
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Clip

# Clips of the vocoder's voices that are used, of the held-out ones.
_VOICES_CLIPS = 40
_EXAMPLES = 10  # for prompts
_EMOTIONS = {"positive": "happy", "negative": "sad", "neutral": "neutral"}
# Voices of each split of the commands.
_SPLITS = {"train": VOICES[:2], "valid": VOICES[2:3], "test": VOICES[3:]}


def make_commands(root: Path, clips: Path) -> None:
    """The layout of Fluent Speech Commands."""
    (root / "data").mkdir(parents=True)
    for split, voices in _SPLITS.items():
        rows: list[list[object]] = []
        for voice in voices:
            for index, row in enumerate(read_texts("commands"), 1):
                for phrase in (1, 2):
                    name = f"{voice}-command{index:02d}-{phrase}"
                    path = f"wavs/speakers/{voice}/{hashlib.md5(name.encode()).hexdigest()}.wav"
                    save(root / path, load(clips, name))
                    slots = [row["action"], row["object"], row["location"]]
                    rows.append([len(rows), path, voice, row[f"phrase{phrase}"], *slots])
        header = ["", "path", "speakerId", "transcription", "action", "object", "location"]
        _write_table(root / "data" / f"{split}_data.csv", header, rows, ",")


def make_stsp(root: Path, clips: Path) -> None:
    """The layout of STSP: spoken prompts like EMOV's, whose sentiment is in their words, and texts like Expresso's."""
    records = []
    for index, row in enumerate(read_texts("sentiments")):
        voice = story_voice(index)
        path = f"emov/{voice}/sentiment{index + 1:02d}.wav"
        save(root / "data" / path, load(clips, f"{voice}-sentiment{index + 1:02d}"))
        records.append(
            {
                "emotion": _EMOTIONS[row["sentiment"]],
                "sentiment": row["sentiment"],
                "wav_path": path,
                "split": "test",
                "speaker": voice,
                "id": zlib.crc32(path.encode()),
                "asr": row["text"],
            }
        )
    lines = "".join(json.dumps(record) + "\n" for record in records)
    for name in ("emov/emov.test.jsonl", "expresso/expresso_asr.test.jsonl"):
        path = root / "manifest" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines, encoding="utf-8")


def make_manifests(data: Path, speech: Path) -> None:
    """Recordings of people in LibriSpeech's layout, and synthetic clips with a manifest."""
    _write_librispeech(data / "LibriSpeech" / "held-out", held_out(speech, "real"))
    known = [clip.clip for clip in read_corpus(speech) if clip.real and not clip.held_out]
    _write_librispeech(data / "LibriSpeech" / "examples", _short(known)[:_EXAMPLES])
    _write_clips(data, "sentences", new_sentences())
    _write_clips(data, "voices", held_out(speech, "main")[:_VOICES_CLIPS])


def make_phones(data: Path, speech: Path) -> None:
    """TextGrids with the phones of the clips of `voices` and of LibriSpeech, and an item file of ABX."""
    aligner = PocketsphinxAligner()
    sets = {"voices": held_out(speech, "main")[:_VOICES_CLIPS], "librispeech": held_out(speech, "real")}
    for name, clips in sets.items():
        folder = data / "phones" / name
        folder.mkdir(parents=True)
        lines = ["#file onset offset #phone prev-phone next-phone speaker"]
        manifest: list[list[object]] = []
        for clip in clips:
            waveform = read_clip(clip)
            try:
                alignment, phones = aligner.align_phones(waveform, clip.text or "")
            except AlignmentError:
                continue
            save(folder / f"{clip.id}.wav", waveform.samples)
            manifest.append([clip.id, f"{clip.id}.wav", clip.speaker, clip.text])
            tiers = [
                Tier("words", word_intervals(alignment.words, waveform.seconds)),
                Tier("phones", [Interval(phone.start, phone.end, _name(phone)) for phone in phones]),
            ]
            (folder / f"{clip.id}.TextGrid").write_text(
                format_tiers(tiers, waveform.seconds), encoding="utf-8"
            )
            lines += _abx_lines(clip, phones)
        (folder / "triphones.item").write_text("\n".join(lines) + "\n", encoding="utf-8")
        _write_table(folder / "clips.tsv", ["id", "audio", "speaker", "text"], manifest, "\t")


def _abx_lines(clip: Clip, phones: Sequence[Phone]) -> Iterable[str]:
    """The phones of a clip with the one before and after, as ABX on triphones compares them."""
    for before, phone, after in zip(phones, phones[1:], phones[2:], strict=False):
        names = [_name(one) for one in (phone, before, after)]
        if all(names):
            yield f"{clip.id} {before.start:.4f} {after.end:.4f} {' '.join(names)} {clip.speaker}"


def _name(phone: Phone) -> str:
    """The name of a phone; empty for silence."""
    return "" if phone.phone == "SIL" or phone.phone.startswith("+") else phone.phone


def _short(clips: Iterable[Clip]) -> list[Clip]:
    """Clips in the order of the length of their texts."""
    return sorted(clips, key=lambda clip: (len(clip.text or ""), clip.id))


def _write_librispeech(root: Path, clips: Iterable[Clip]) -> None:
    for clip in clips:
        speaker, chapter, _ = clip.id.split("-")
        folder = root / speaker / chapter
        save(folder / f"{clip.id}.wav", read_clip(clip).samples)
        with (folder / f"{speaker}-{chapter}.trans.txt").open("a", encoding="utf-8") as file:
            file.write(f"{clip.id} {(clip.text or '').upper()}\n")


def _write_clips(data: Path, name: str, clips: Iterable[Clip]) -> None:
    rows: list[list[object]] = []
    for clip in clips:
        save(data / name / f"{clip.id}.wav", read_clip(clip).samples)
        rows.append([clip.id, f"{name}/{clip.id}.wav", clip.speaker, clip.text])
    _write_table(data / f"{name}.tsv", ["id", "audio", "speaker", "text"], rows, "\t")


def _write_table(path: Path, header: list[str], rows: Iterable[Sequence[object]], delimiter: str) -> None:
    quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file,
            delimiter=delimiter,
            lineterminator="\n",
            quoting=quoting,
            quotechar='"' if delimiter == "," else None,
        )
        writer.writerow(header)
        writer.writerows(rows)
