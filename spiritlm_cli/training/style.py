"""Train the style encoder, which predicts the cluster of each second's prosody from the waveform."""

import json
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.console import counted, notify
from spiritlm_cli.files import write_text
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.speech.style import StyleConfig, StyleEncoder, release_state_dict
from spiritlm_cli.training.audio_file import to_float
from spiritlm_cli.training.augmentation import augment
from spiritlm_cli.training.crops import CropSampler, draw_batch
from spiritlm_cli.training.data import Recording, cluster, load_recordings
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import POSITION_GROUPS, StyleOptions
from spiritlm_cli.training.pitch import track_all
from spiritlm_cli.training.report import Report, WeightedMean
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.schedule import warm_cosine

# Frames per second of the labels, so that batches are drawn as for phonetic units.
FRAMES = 25
# One clip in so many is not trained on, by the checksum of its id, and the accuracy is measured on it.
HELD_OUT = 20


def prosody(recording: Recording, track: F0Track) -> NDArray[np.float32]:
    """Compute nine prosodic features of each second of a clip: (seconds, 9) float32.

    0 to 2: mean, standard deviation and slope of the F0 of voiced frames, in semitones relative to the clip's mean.
    3: share of voiced frames. 4 to 6: mean, standard deviation and range of the level, in dB relative to the clip's
    mean. 7: spectral tilt, the level above 2 kHz minus the level below, in dB. 8: mean absolute change of the level
    between 20 ms frames, in dB.
    """
    samples = to_float(recording.samples)
    hop = 320
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    level = 10 * np.log10(np.square(frames).mean(1) + 1e-7)
    spectrum = np.square(np.abs(np.fft.rfft(frames * np.hanning(hop), axis=1)))
    split = 2000 * hop // 16000
    tilt = 10 * np.log10((spectrum[:, split:].mean(1) + 1e-7) / (spectrum[:, 1:split].mean(1) + 1e-7))
    voiced = track.voiced
    semitones = 12 * np.log2(np.maximum(track.f0, 1.0))
    semitones = semitones - (semitones[voiced].mean() if voiced.any() else 0)
    loud = level > level.max() - 35
    level = level - level[loud].mean()
    rows = []
    for second in range(-(-len(frames) // 50)):
        here = slice(second * 50, (second + 1) * 50)
        pitch = semitones[second * 200 : (second + 1) * 200][voiced[second * 200 : (second + 1) * 200]]
        slope = np.polyfit(np.linspace(-1, 1, len(pitch)), pitch, 1)[0] if len(pitch) > 20 else 0.0
        part = np.maximum(level[here], -45)
        is_loud = loud[here]
        rows.append([
            pitch.mean() if len(pitch) else 0.0,
            pitch.std() if len(pitch) else 0.0,
            slope,
            len(pitch) / 200,
            part.mean(),
            part.std(),
            np.ptp(part),
            tilt[here][is_loud].mean() if is_loud.any() else -20.0,
            np.abs(np.diff(part)).mean() if len(part) > 1 else 0.0,
        ])  # fmt: skip
    return np.array(rows, dtype=np.float32)


def style_labels(
    recordings: list[Recording], tracks: dict[str, F0Track], styles: int, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Cluster the standardized prosody of all seconds by k-means. Returns (seconds,) int64 by clip id.

    Raises SpiritLMError if there are fewer seconds than styles.
    """
    features = {r.clip.id: prosody(r, tracks[r.clip.id]) for r in recordings}
    all_features = np.concatenate(list(features.values()))
    mean, spread = all_features.mean(0), all_features.std(0) + 1e-5
    kmeans = cluster((all_features - mean) / spread, styles, seed, iterations=50, runs=3, what="second")
    return {
        clip: kmeans.index.search(np.ascontiguousarray((f - mean) / spread), 1)[1][:, 0].astype(np.int64)
        for clip, f in features.items()
    }


def train(options: StyleOptions) -> None:
    """Train and write `speech_tokenizer/style_encoder_w2v2/{model.safetensors,config.json}` under `options.output`."""
    folder = options.output / "speech_tokenizer" / "style_encoder_w2v2"
    check_run(options, "style", folder / "model.safetensors")
    loop = Loop(options, "style", options.steps)
    with loop.main_first():
        recordings = load_recordings(options.manifest, options.output / "training", shortest=1.0)
        tracks = track_all(recordings, options.output / "training", options.device)
    styles = style_labels(recordings, tracks, options.styles, options.seed)
    labels = {clip: np.repeat(seconds, FRAMES) for clip, seconds in styles.items()}
    held_out = [r for r in recordings if _is_held_out(r)]
    sampler = CropSampler([r for r in recordings if not _is_held_out(r)] or recordings, options.seconds)
    content = dict(
        architectures=["Wav2Vec2ForSequenceClassification"], model_type="wav2vec2", hidden_size=options.dim,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, intermediate_size=4 * options.dim,
        hidden_act="gelu", conv_dim=[options.conv] * 7, conv_kernel=[10, 3, 3, 3, 3, 2, 2],
        conv_stride=[5, 2, 2, 2, 2, 2, 2], conv_bias=False, feat_extract_norm="group", feat_extract_activation="gelu",
        num_feat_extract_layers=7, do_stable_layer_norm=False, num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=POSITION_GROUPS, classifier_proj_size=128, layer_norm_eps=1e-5,
        id2label={str(i): str(i) for i in range(options.styles)},
        label2id={str(i): i for i in range(options.styles)},
    )  # fmt: skip
    torch.manual_seed(options.seed)
    device = loop.device
    model = StyleEncoder(StyleConfig.parse(content, folder / "config.json")).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def step(number: int) -> Report:
        rng = loop.rng(number)
        batch = draw_batch(sampler, labels, options.batch, options.seconds, rng)
        # the level is a feature of style, so only every fourth batch is augmented
        waveform = batch.waveform.to(device)
        waveform = waveform if number % 4 else augment(waveform, rng)
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            logits = torch.stack(model.logits(waveform.unbind())).float()
        targets = _middle_labels(batch.labels, logits.shape[1]).to(device)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loop.update(optimizer, model, loss, warm_cosine(number, options.steps, options.learning_rate))
        accuracy = WeightedMean.of((logits.argmax(-1) == targets)[targets >= 0])
        return {"loss": loss, "accuracy": accuracy}

    def save() -> None:
        tensors = {name: tensor.half() for name, tensor in release_state_dict(model).items()}
        write_tensors(folder / "model.safetensors", tensors)
        write_text(folder / "config.json", json.dumps(content, indent=2) + "\n")

    loop.run({"model": model, "optimizer": optimizer}, step, save)
    notify(f"style: {cluster_sizes(styles, options.styles)}")
    if held_out:
        right, seconds = held_out_accuracy(model, held_out, styles)
        clips = counted(len(held_out), "clip")
        notify(
            f"style: accuracy {100 * right / seconds:.1f} % of {counted(seconds, 'second')} of {clips} not trained on"
        )


def _is_held_out(recording: Recording) -> bool:
    return zlib.crc32(recording.clip.id.encode()) % HELD_OUT == 0


def cluster_sizes(styles: Mapping[str, NDArray[np.int64]], count: int) -> str:
    """Say how many seconds each style has. styles: (seconds,) int64 by clip id. count: of styles."""
    sizes = np.sort(np.bincount(np.concatenate(list(styles.values())), minlength=count))
    return (
        f"{count} styles of {sizes.sum()} seconds; the smallest has {sizes[0]}, the median {int(np.median(sizes))}, "
        f"the largest {sizes[-1]}; the most frequent style is right for {100 * sizes[-1] / sizes.sum():.1f} %"
    )


@torch.inference_mode()
def held_out_accuracy(
    model: StyleEncoder, recordings: Sequence[Recording], styles: Mapping[str, NDArray[np.int64]]
) -> tuple[int, int]:
    """Count the seconds whose style is predicted right, and all. styles: (seconds,) int64 by clip id."""
    device = next(model.parameters()).device
    right = total = 0
    for recording in recordings:
        logits = model.logits([torch.from_numpy(recording.waveform.samples).to(device)])[0]
        expected = styles[recording.clip.id][: len(logits)]
        right += int((logits.argmax(-1).cpu().numpy()[: len(expected)] == expected).sum())
        total += len(expected)
    return right, total


def _middle_labels(labels: torch.Tensor, seconds: int) -> torch.Tensor:
    """Label of the middle frame of each second, −100 past the end.

    labels: (batch, frames) at 25 Hz. Returns (batch, seconds).
    """
    middles = torch.arange(seconds) * FRAMES + FRAMES // 2
    middle_labels = labels[:, middles.clamp(max=labels.shape[1] - 1)]
    return torch.where(middles[None] < labels.shape[1], middle_labels, -100)
