"""Each part is trained for a few steps on real sound; what it writes is loaded as users load it."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.speech.quantizer import KMeansQuantizer, LinearQuantizer, load_quantizer
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.training import hubert, language_model, pitch, quantizer, style, vocoder
from spiritlm_cli.training.options import (
    HubertOptions,
    LanguageModelOptions,
    PitchOptions,
    QuantizerOptions,
    StyleOptions,
    VocoderOptions,
)
from spiritlm_cli.vocoder.vocoder import Vocoder

SECONDS = 2


@pytest.fixture(scope="module")
def corpus(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of the recording, with labels, units and text that are made up."""
    folder = tmp_path_factory.mktemp("corpus")
    samples, rate = soundfile.read(recording_file, dtype="float32")
    draw = np.random.default_rng(0)
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
        hu = draw.integers(0, 500, SECONDS * 25).repeat(2)[: SECONDS * 25]
        labels.append(f"{i}\t[SPEECH]" + "".join(f"[Hu{u}]" for u in hu))
        streams = {"hubert": hu, "pitch": draw.integers(0, 64, 25), "style": draw.integers(0, 100, SECONDS)}
        units.append({"id": str(i)} | {key: " ".join(map(str, ids)) for key, ids in streams.items()})
    (folder / "clips.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in manifest))
    (folder / "labels.txt").write_text("".join(line + "\n" for line in labels))
    (folder / "units.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in units))
    return folder


def hubert_options(corpus: Path, out: Path, **more: object) -> HubertOptions:
    given = dict(
        manifest=corpus / "clips.jsonl",
        labels=corpus / "labels.txt",
        output=out,
        conv=16,
        dim=32,
        layers=2,
        steps=3,
        batch=2,
        seconds=1.0,
        bf16=False,
    )
    return HubertOptions(**(given | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All parts, trained one after another into one folder."""
    out = tmp_path_factory.mktemp("trained")
    manifest, units = corpus / "clips.jsonl", corpus / "units.jsonl"
    hubert.train(hubert_options(corpus, out))
    quantizer.train(
        QuantizerOptions(
            manifest=manifest, labels=corpus / "labels.txt", output=out, layer=2, steps=4, batch=2
        )
    )
    pitch.train(PitchOptions(manifest=manifest, output=out, steps=2, batch=2, seconds=1.28))
    style.train(
        StyleOptions(manifest=manifest, output=out, styles=3, conv=16, dim=32, layers=1, steps=2, batch=2)
    )
    vocoder.train(
        VocoderOptions(
            manifest=manifest,
            units=units,
            output=out,
            channels=32,
            embedding=8,
            steps=2,
            adversarial_from=1,
            batch=2,
        )
    )
    language_model.train(
        LanguageModelOptions(
            manifest=manifest,
            units=units,
            text=corpus / "labels.txt",
            output=out,
            vocabulary=300,
            dim=32,
            layers=1,
            heads=2,
            ffn=48,
            context=64,
            steps=2,
            batch=2,
        )
    )
    return out


def test_what_was_trained_is_a_checkpoint(trained: Path, recording_file: Path) -> None:
    samples, rate = soundfile.read(recording_file, dtype="float32")
    units = SpeechTokenizer.load(str(trained)).encode(Waveform(samples[: 2 * rate], rate))
    assert len(units.hubert) == 49
    assert units.pitch is not None
    assert units.style is not None
    assert len(units.pitch) == 25
    assert len(units.style) == 2
    span = merge_streams(units)
    spoken = Vocoder.load(str(trained)).decode(span, durations="keep")
    assert len(spoken.samples) % 640 == 0
    model = LanguageModel.load(str(trained))
    assert model.vocabulary.size <= model.network.config.vocab_size


@contextmanager
def interrupted(steps: int) -> Iterator[None]:
    """Ctrl-C in the optimizer's step after so many."""
    done = itertools.count(1)

    def count(*_: object) -> None:
        if next(done) > steps:
            raise KeyboardInterrupt

    hook = register_optimizer_step_post_hook(count)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        hook.remove()


def test_trained_hubert_is_the_same_after_a_resume(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path / "whole", steps=4))
    with interrupted(3):
        hubert.train(hubert_options(corpus, tmp_path / "parts", steps=4, save_every=2))
    hubert.train(hubert_options(corpus, tmp_path / "parts", steps=4, resume=True))
    whole = read_tensors(Checkpoint(tmp_path / "whole", "").hubert).tensors
    parts = read_tensors(Checkpoint(tmp_path / "parts", "").hubert).tensors
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_trained_pitch_is_the_same_after_a_resume(corpus: Path, tmp_path: Path) -> None:
    """Its codes follow the latents beside the optimizer."""

    def options(out: str, **more: object) -> PitchOptions:
        given = dict(manifest=corpus / "clips.jsonl", output=tmp_path / out, steps=4, batch=2, seconds=1.28)
        return PitchOptions(**(given | more))  # type: ignore[arg-type]

    pitch.train(options("whole"))
    with interrupted(3):
        pitch.train(options("parts", save_every=2))
    pitch.train(options("parts", resume=True))
    whole, parts = (read_tensors(Checkpoint(tmp_path / out, "").pitch).tensors for out in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_another_run_is_not_resumed(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path, steps=1))
    with pytest.raises(CheckpointError, match=r"hubert\.json: started with --dim 32, not 64; give the same"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, dim=64, resume=True))
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("0\t[SPEECH][Hu1][Hu2]\n")
    with pytest.raises(CheckpointError, match=r"hubert\.json: started with another --labels; give the same"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, labels=fewer, resume=True))
    (tmp_path / "training" / "hubert.json").unlink()
    with pytest.raises(CheckpointError, match=r"hubert\.pt: doesn't fit the model that these data"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, labels=fewer, resume=True))
    state = tmp_path / "training" / "hubert.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"hubert\.pt: cut off"):
        hubert.train(hubert_options(corpus, tmp_path, steps=2, resume=True))


def test_a_loss_that_is_no_number_ends_the_training(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="lower --learning-rate"):
        hubert.train(hubert_options(corpus, tmp_path, steps=9, learning_rate=float("inf")))


def test_too_little_to_train_on_is_said(corpus: Path, tmp_path: Path) -> None:
    manifest = corpus / "clips.jsonl"
    with pytest.raises(SpiritLMError, match=r"clips\.jsonl: no clip of 60\.0 s"):
        pitch.train(PitchOptions(manifest=manifest, output=tmp_path, seconds=60.0))
    with pytest.raises(SpiritLMError, match="8 frames can't make 100 clusters"):
        style.train(StyleOptions(manifest=manifest, output=tmp_path))
    (tmp_path / "empty.txt").touch()
    with pytest.raises(SpiritLMError, match=r"empty\.txt: there is no text"):
        language_model.train(LanguageModelOptions(text=tmp_path / "empty.txt", output=tmp_path))


def test_another_run_is_not_replaced_unless_asked_for(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path, steps=1))
    weights = Checkpoint(tmp_path, "").hubert
    before = weights.read_bytes()
    with pytest.raises(
        CheckpointError, match=r"hubert\.pt: there is already a hubert .* --resume .* --overwrite"
    ):
        hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1))
    (tmp_path / "training" / "hubert.pt").unlink()
    with pytest.raises(CheckpointError, match=r"mhubert_base_25hz\.safetensors: there is already a hubert"):
        hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1))
    assert weights.read_bytes() == before
    hubert.train(hubert_options(corpus, tmp_path, steps=1, seed=1, overwrite=True))
    assert weights.read_bytes() != before


def test_hubert_starts_from_weights(corpus: Path, tmp_path: Path) -> None:
    hubert.train(hubert_options(corpus, tmp_path / "first", steps=1))
    start = Checkpoint(tmp_path / "first", "").hubert
    # a different width is asked for, but that of the weights counts; and a step of no length changes nothing
    more = hubert_options(corpus, tmp_path / "more", steps=1, start=start, dim=64, learning_rate=0.0)
    hubert.train(more)
    before, after = (read_tensors(path).tensors for path in (start, Checkpoint(tmp_path / "more", "").hubert))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.allclose(tensor.float(), after[name].float(), atol=1e-3), name


def test_nothing_to_resume_is_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"hubert\.pt: missing; there is nothing to resume"):
        hubert.train(hubert_options(corpus, tmp_path, resume=True))


def test_hubert_wants_labels_or_a_teacher(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpiritLMError, match="--labels, or --teacher"):
        hubert.train(hubert_options(corpus, tmp_path, labels=None))


def test_both_quantizers(trained: Path, corpus: Path) -> None:
    assert isinstance(load_quantizer(Checkpoint(trained, "").quantizer), LinearQuantizer)
    features = Hubert.load(Checkpoint(trained, "").hubert, 1)
    path = trained / "kmeans.safetensors"
    options = QuantizerOptions(
        manifest=corpus / "clips.jsonl", output=trained, kind="kmeans", layer=1, units=5
    )
    quantizer.train_kmeans(options, features, quantizer.load_recordings(options.manifest), path)
    found = load_quantizer(path)
    assert isinstance(found, KMeansQuantizer)
    assert found.centers.shape == (5, 32)
    # a centre is nearest to itself
    assert found(found.centers).tolist() == list(range(5))
