import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from training_fixtures import (
    SECONDS,
    hubert_options,
    language_model_options,
    pitch_options,
    quantizer_options,
    style_options,
    vocoder_options,
)

from spiritlm_cli.training import hubert, language_model, pitch, quantizer, style, vocoder


@pytest.fixture(scope="session")
def corpus(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of the recording by two speakers, with invented labels, units, text and word times."""
    folder = tmp_path_factory.mktemp("corpus")
    samples, rate = soundfile.read(recording_file, dtype="float32")
    rng = np.random.default_rng(0)
    manifest, labels, units = [], [], []
    for i in range(4):
        soundfile.write(folder / f"{i}.wav", samples[i * SECONDS * rate :][: SECONDS * rate], rate)
        words = [
            {"word": word, "start": 0.1 + 0.4 * k, "end": 0.4 + 0.4 * k}
            for k, word in enumerate(("a", "b", "c", "d"))
        ]
        manifest.append(
            {"id": str(i), "audio": f"{i}.wav", "text": "a b c d", "speaker": "xy"[i % 2], "words": words}
        )
        hu = rng.integers(0, 500, SECONDS * 25).repeat(2)[: SECONDS * 25]
        labels.append(f"{i}\t[SPEECH]" + "".join(f"[Hu{u}]" for u in hu))
        streams = {"hubert": hu, "pitch": rng.integers(0, 64, 25), "style": rng.integers(0, 100, SECONDS)}
        units.append({"id": str(i)} | {key: " ".join(map(str, ids)) for key, ids in streams.items()})
    (folder / "clips.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in manifest))
    (folder / "test.jsonl").write_text(json.dumps(manifest[0]) + "\n")
    (folder / "labels.txt").write_text("".join(line + "\n" for line in labels))
    (folder / "units.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in units))
    return folder


@pytest.fixture(scope="session")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All parts, trained for a few steps into one folder. Not to be written to."""
    output = tmp_path_factory.mktemp("trained")
    hubert.train(hubert_options(corpus, output))
    quantizer.train(quantizer_options(corpus, output))
    pitch.train(pitch_options(corpus, output))
    style.train(style_options(corpus, output))
    vocoder.train(vocoder_options(corpus, output))
    language_model.train(language_model_options(corpus, output))
    return output
