"""A pack, and some steps of training from it, on whatever device there is."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.training import unit_selection
from spiritlm_cli.training.phones import load_phones


def test_pack_and_train(
    script: Callable[[str], ModuleType],
    speech: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clips = [entry.clip for entry in script("nano/clip_sets.py").read_corpus(speech)][:2]
    manifest, units, labels = tmp_path / "clips.jsonl", tmp_path / "units.jsonl", tmp_path / "labels.txt"
    rows = []
    for clip in clips:
        words = [
            {"word": word, "start": 0.2 * i, "end": 0.2 * i + 0.2} for i, word in enumerate(clip.text.split())
        ]
        rows.append(
            {"id": clip.id, "audio": str(clip.source), "text": clip.text, "speaker": "x", "words": words}
        )
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = SpeechTokenizer.load("nano", device="cpu")
    with units.open("w") as unit_file, labels.open("w") as label_file:
        for clip, encoded in tokenizer.encode_stream(clips):
            streams = encoded.result()
            of_kind = {"hubert": streams.hubert, "pitch": streams.pitch, "style": streams.style}
            row = {"id": clip.id} | {name: " ".join(map(str, ids)) for name, ids in of_kind.items()}
            unit_file.write(json.dumps(row) + "\n")
            label_file.write(
                f"{clip.id}\t[SPEECH]" + "".join(f"[Hu{unit}]" for unit in streams.hubert) + "\n"
            )
    phones, text, pack = tmp_path / "phones.jsonl", tmp_path / "text.txt", tmp_path / "pack.tar"
    assert len(load_phones(phones, manifest)) == 2
    text.write_text("The little fox hid a gate.\n")
    files = {
        "manifest": manifest,
        "held-out": manifest,
        "units": units,
        "labels": labels,
        "phones": phones,
        "text": text,
    }
    options = [f"--{name}={path}" for name, path in files.items()]
    monkeypatch.setattr(sys, "argv", ["pack.py", *options, f"--output={pack}", "--limit-mb=1"])
    script("gpu/pack.py").main()
    assert pack.stat().st_size < 1e6

    monkeypatch.setattr(unit_selection, "Pronouncer", unit_selection.Pronouncer)
    for part, more in (("lm", ["--context=32"]), ("hubert", [])):
        command = [
            "train.py",
            part,
            str(pack),
            "--seconds=0.1",
            "--trial=1",
            "--batch=2",
            f"--output={tmp_path / part}",
        ]
        monkeypatch.setattr(sys, "argv", command + more)
        script("gpu/train.py").main()
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert result["part"] == part
        assert result["steps"] >= 1
        assert result["before"]
        assert result["before"].keys() == result["after"].keys()
