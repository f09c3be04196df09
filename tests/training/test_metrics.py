import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from spiritlm_cli.console import warn_once
from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.training.metrics import (
    PLOTTED,
    Metrics,
    metrics_path,
    plot_path,
    remove_metrics,
    samples_folder,
)
from spiritlm_cli.training.options import LoopOptions


def lines(options: LoopOptions) -> list[dict[str, float]]:
    return [json.loads(line) for line in metrics_path(options, "toy").read_text().splitlines()]


def test_metrics_drop_the_lines_after_the_step_of_a_resume(tmp_path: Path) -> None:
    options = LoopOptions(output=tmp_path, tensorboard=False)
    with Metrics(options, "toy", 0) as metrics:
        for step in range(1, 5):
            metrics.write(step, {"loss": step / 2, "gradient_norm": float("inf")})
    with metrics_path(options, "toy").open("a") as file:
        file.write('{"step": 5, "lo')
    with Metrics(options, "toy", 3) as metrics:
        metrics.write(4, {"loss": 7.0})
    assert [(line["step"], line["loss"]) for line in lines(options)] == [
        (1, 0.5),
        (2, 1.0),
        (3, 1.5),
        (4, 7.0),
    ]
    assert lines(options)[0]["gradient_norm"] is None
    assert not (tmp_path / "training" / "tensorboard").exists()


def test_metrics_write_event_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = LoopOptions(output=tmp_path)
    with Metrics(options, "toy", 0) as metrics:
        sound = Waveform(np.array([0, 2, -0.5], dtype=np.float32), 8000)
        metrics.write(1, {"loss": 0.5, "samples/01": "[TEXT]*a*", "sounds/01": sound})
    # texts and sounds are in the event files only
    assert lines(options) == [{"step": 1, "loss": 0.5}]
    folder = tmp_path / "training" / "tensorboard" / "toy"
    events = EventAccumulator(str(folder)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5)]
    (text,) = events.Tensors("samples/01/text_summary")
    assert text.tensor_proto.string_val == [b"    [TEXT]*a*"]
    (audio,) = events.Audio("sounds/01")
    samples, rate = soundfile.read(io.BytesIO(audio.encoded_audio_string))
    assert rate == 8000
    assert np.allclose(samples, [0, 1, -0.5], atol=1e-3)
    remove_metrics(options, "toy")
    assert not any(folder.iterdir())
    assert not metrics_path(options, "toy").exists()


def test_metrics_go_to_a_project_of_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = LoopOptions(output=tmp_path / "new", tensorboard=False, wandb="speech")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingPackageError, match="--wandb needs it; try: pip install wandb"):
        Metrics(options, "toy", 0)
    calls: list[object] = []
    run = SimpleNamespace(log=lambda *a, **k: calls.append((a, k)), finish=lambda: calls.append("finished"))
    package = SimpleNamespace(init=lambda **k: calls.append((k["project"], k["name"])) or run)
    monkeypatch.setitem(sys.modules, "wandb", package)
    with Metrics(options, "toy", 0) as metrics:
        metrics.write(1, {"loss": 0.5})
    assert calls == [("speech", "new toy"), (({"loss": 0.5},), {"step": 1}), "finished"]


def test_metrics_plot_ten_steps_or_more(tmp_path: Path) -> None:
    options = LoopOptions(output=tmp_path, tensorboard=False)
    with Metrics(options, "toy", 0) as metrics:
        for step in range(1, PLOTTED + 1):
            assert not plot_path(options, "toy").exists()
            metrics.write(step, {"loss": 1 / step})
            metrics.plot()
    assert plot_path(options, "toy").read_bytes().startswith(b"\x89PNG")
    # a resumed run has the steps before it too
    before = plot_path(options, "toy").read_bytes()
    plot_path(options, "toy").unlink()
    with Metrics(options, "toy", PLOTTED) as metrics:
        metrics.plot()
    assert plot_path(options, "toy").read_bytes() == before
    for part in ("toy", "other"):
        samples_folder(options, part).mkdir(parents=True)
    remove_metrics(options, "toy")
    assert not plot_path(options, "toy").exists()
    assert not samples_folder(options, "toy").exists()
    assert samples_folder(options, "other").exists()


def test_metrics_without_matplotlib_say_once_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    warn_once.cache_clear()
    options = LoopOptions(output=tmp_path, tensorboard=False)
    with Metrics(options, "toy", 0) as metrics:
        metrics.write(PLOTTED, {"loss": 0.5})
        metrics.plot()
        metrics.plot()
    assert not plot_path(options, "toy").exists()
    (message,) = [record.getMessage() for record in caplog.records]
    assert "toy.png is not drawn: matplotlib" in message
    assert message.endswith("try: pip install 'spiritlm[plot]'")
