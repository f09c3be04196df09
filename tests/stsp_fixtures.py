"""The speech-text sentiment preservation benchmark in the layout of its release, tiny."""

import json
from pathlib import Path
from typing import Any

import soundfile

EMOTIONS = ("happy", "sad", "default")
# In the release, ids are signed 64-bit numbers.
FIRST_ID = -8_000_000_000_000_000_001


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def write_stsp(root: Path, recording: Path) -> Path:
    """Write three records in each of the three sets, and three solved examples of each direction."""
    samples, rate = soundfile.read(recording, dtype="float32")
    sets = {
        "emov/emov.test.jsonl": "emov",
        "expresso/expresso_read.test.jsonl": "expresso/read",
        "expresso/expresso_asr.test.jsonl": "expresso/conversational",
    }
    for number, (manifest, folder) in enumerate(sets.items()):
        lines = []
        for index, emotion in enumerate(EMOTIONS):
            name = f"{folder}/{index}.wav"
            (root / "data" / folder).mkdir(parents=True, exist_ok=True)
            start = (3 * number + index) * rate // 2
            soundfile.write(root / "data" / name, samples[start : start + rate // 2], rate)
            line = {"emotion": emotion, "wav_path": name, "split": "test", "speaker": "ex01"}
            lines.append(line | {"id": FIRST_ID + 10 * number + index, "asr": f"it is {emotion} here"})
        write_lines(root / "manifest" / manifest, lines)
    for direction in ("t2t", "t2s", "s2t", "s2s"):
        parts = {"t": "some text", "s": "emov/0.wav"}
        shots = [
            {
                "sentiment": sentiment,
                "prompt": parts[direction[0]],
                "generation": parts[direction[2]],
            }
            for sentiment in ("positive", "negative", "neutral")
        ]
        write_lines(root / "manifest" / "few_shot" / f"{direction}.jsonl", shots)
    return root


def write_released_example(folder: Path) -> tuple[Path, Path]:
    """Write references and predictions as in the example of the release: the predictions are emotions."""
    emotions = ("amused", "angry", "neutral", "neutral", "amused")
    references = [
        {
            "emotion": emotion,
            "wav_path": f"emov/{index}.wav",
            "split": "test",
            "speaker": "sam",
            "id": FIRST_ID + index,
        }
        for index, emotion in enumerate(emotions)
    ]
    predictions = [{"id": line["id"], "pred": line["emotion"]} for line in references]
    return write_lines(folder / "ref.jsonl", references), write_lines(folder / "pred.jsonl", predictions)
