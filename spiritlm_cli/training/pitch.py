"""Train the pitch VQ-VAE, which encodes F0 at 200 Hz as codes at 12.5 Hz (Polyak et al. 2021)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.config import from_mapping
from spiritlm_cli.console import counted, notify, track
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.files import atomic_path, write_text
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.speech.f0 import HOP as F0_HOP
from spiritlm_cli.speech.f0 import F0Method, F0Track, load_tracker
from spiritlm_cli.speech.pitch import FRAMES_PER_UNIT, PitchConfig, PitchVqVae, pitch_features
from spiritlm_cli.training.data import Recording, load_recordings, notify_left_out
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import PitchOptions
from spiritlm_cli.training.report import Report, WeightedMean
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.schedule import warm_cosine

# Weight of the commitment loss (van den Oord et al. 2017).
COMMITMENT = 0.02
# Training clips, at most, that the result is measured on.
MEASURED = 200


def track_all(
    recordings: list[Recording], folder: Path, device: str, method: F0Method = "fcpe"
) -> dict[str, F0Track]:
    """Track the F0 of all recordings. Returns tracks by clip id.

    folder: has an .npz file for each method. Tracks in it are used if they have the length of the recording; new ones
    are added to it.
    """
    cache = folder / ("f0.npz" if method == "fcpe" else f"f0_{method}.npz")
    tracks = {}
    if cache.is_file():
        with np.load(cache) as stored:
            tracks = {
                name.removesuffix("/f0"): F0Track(stored[name], stored[name.removesuffix("f0") + "v"])
                for name in stored.files
                if name.endswith("/f0")
            }
    # an audio file that has changed usually has another length
    missing = [
        r for r in recordings if r.clip.id not in tracks or len(tracks[r.clip.id].f0) != _frames(r, method)
    ]
    if missing:
        tracker = load_tracker(method, find_device(device))
        notify(f"{cache}: computing the F0 of {counted(len(missing), 'clip')}")
        for recording in track(missing, "F0 of clips", len(missing)):
            tracks[recording.clip.id] = tracker(recording.waveform.samples)
        cache.parent.mkdir(parents=True, exist_ok=True)
        f0 = {f"{clip}/f0": track.f0 for clip, track in tracks.items()}
        voiced = {f"{clip}/v": track.voiced for clip, track in tracks.items()}
        with atomic_path(cache) as temporary:
            np.savez(temporary, **f0, **voiced)  # type: ignore[arg-type]
    return tracks


def _frames(recording: Recording, method: F0Method) -> int:
    """Number of frames of a track."""
    # FCPE has one at the last sample too
    samples = len(recording.samples)
    return samples // F0_HOP + 1 if method == "fcpe" else -(-samples // F0_HOP)


class MovingCodebook:
    """Updates codes to exponential moving averages of the latents assigned to them.

    Source: van den Oord et al. 2017, appendix A. An unused code is replaced by a random latent of the batch.
    """

    def __init__(self, model: PitchVqVae) -> None:
        self.codes = model.vq.codes
        self.decay = model.config.vq_params.mu
        self.count = torch.ones(len(self.codes), device=self.codes.device)
        self.total = self.codes.clone()

    def follow(self, latents: Tensor, ids: Tensor, rng: np.random.Generator) -> None:
        """Update the codes. latents: (n, dim). ids: (n,) int64, the code of each latent."""
        hot = torch.nn.functional.one_hot(ids, len(self.codes)).to(latents.dtype)
        self.count.mul_(self.decay).add_(hot.sum(0), alpha=1 - self.decay)
        self.total.mul_(self.decay).add_(hot.T @ latents, alpha=1 - self.decay)
        self.codes.copy_(self.total / self.count[:, None].clamp(min=1e-3))
        unused = self.count < 0.1
        if bool(unused.any()):
            chosen = torch.from_numpy(rng.integers(0, len(latents), int(unused.sum()))).to(latents.device)
            self.codes[unused] = latents[chosen]
            self.total[unused] = latents[chosen]
            self.count[unused] = 1.0

    def state_dict(self) -> dict[str, Tensor]:
        return {"count": self.count, "total": self.total}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        self.count.copy_(state_dict["count"])
        self.total.copy_(state_dict["total"])


def pitch_config(options: PitchOptions) -> dict[str, Any]:
    """Return the content of `config.yaml` for a new VQ-VAE."""
    conv = dict(
        input_emb_width=2, output_emb_width=128, levels=1, downs_t=[4], strides_t=[2], width=32, depth=4,
        m_conv=1.0, dilation_growth_rate=3,
    )  # fmt: skip
    return {
        "features": "norm_f0_interp,vuv" if options.normalize else "f0_interp,vuv",
        "speaker_norm": False,
        "encoder_params": conv,
        "decoder_params": dict(conv),
        "vq_params": {"l_bins": options.codes, "emb_width": 128, "mu": 0.99, "levels": 1},
    }


def train(options: PitchOptions) -> None:
    """Train and write `speech_tokenizer/vqvae_f0_quantizer/{model.safetensors,config.yaml}` under `options.output`.

    Raises SpiritLMError if no clip can be used, CheckpointError for a run that can't be resumed.
    """
    folder = options.output / "speech_tokenizer" / "vqvae_f0_quantizer"
    check_run(options, "pitch", folder / "model.safetensors")
    loop = Loop(options, "pitch", options.steps)
    with loop.main_first():
        recordings = load_recordings(options.manifest, options.output / "training")
        tracks = track_all(recordings, options.output / "training", options.device, options.f0)
    length = int(options.seconds * 200) // 16 * 16
    clips = [
        pitch_features(tracks[r.clip.id], options.normalize)
        for r in recordings
        if len(tracks[r.clip.id].f0) >= length and tracks[r.clip.id].voiced.any()
    ]
    if not clips:
        raise SpiritLMError(f"{options.manifest}: no clip of {options.seconds} s or more has voiced frames")
    notify_left_out(
        options.manifest,
        len(recordings),
        len(clips),
        f"are shorter than {options.seconds:g} s or have no voiced frames",
    )
    content = pitch_config(options)
    config = from_mapping(PitchConfig, content, folder / "config.yaml")
    torch.manual_seed(options.seed)
    device = loop.device
    model = PitchVqVae(config).to(device)
    codebook = MovingCodebook(model)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    # gives the errors of F0 (Hz) and of voicing (0 to 1) similar weight in the loss
    scale = torch.tensor([1 / 30.0, 1.0], device=device)[None, :, None]

    def step(number: int) -> Report:
        rng = loop.rng(number)
        chosen = [clips[i] for i in rng.integers(0, len(clips), options.batch)]
        starts = [int(rng.integers(0, c.shape[1] - length + 1)) for c in chosen]
        x = torch.stack([c[:, s : s + length] for c, s in zip(chosen, starts, strict=True)]).to(device)
        latents = model.encoder(x)
        flat = latents.transpose(1, 2).flatten(0, 1)
        ids = model.vq.nearest(latents)
        with torch.no_grad():
            if number == 0:
                codebook.count.zero_()  # all codes count as unused, so each is replaced by a latent
            codebook.follow(loop.gather(flat), loop.gather(ids.flatten()), rng)
            # codes that are not used are replaced at random
            loop.copy_from_main((codebook.codes, codebook.count, codebook.total))
        codes = model.vq(ids)
        straight_through = latents + (codes - latents).detach()
        reconstruction = model.decoder(straight_through)
        error = ((reconstruction - x) * scale).square().mean()
        loss = error + COMMITMENT * (latents - codes.detach()).square().mean()
        loop.update(optimizer, model, loss, warm_cosine(number, options.steps, options.learning_rate))
        squares = (reconstruction - x)[:, 0][x[:, 1] > 0.5].square()
        # the root of the mean, by the number of voiced frames, of which crops may have none
        hz = WeightedMean((squares.sum() * len(squares)).sqrt(), torch.tensor(len(squares), device=device))
        used = float(len(torch.unique(ids)))
        return {"loss": loss, "f0_error_hz": hz, "codes_in_batch": used}

    def save() -> None:
        write_tensors(folder / "model.safetensors", model.state_dict())
        write_text(folder / "config.yaml", yaml.safe_dump(content, sort_keys=False))

    loop.run({"model": model, "codebook": codebook, "optimizer": optimizer}, step, save)
    notify(f"pitch: {reconstruction_quality(model, clips[:MEASURED])}")


@torch.inference_mode()
def reconstruction_quality(model: PitchVqVae, clips: Sequence[Tensor]) -> str:
    """Say how good decoded features are, and how many codes are used.

    clips: each (2, frames), from `pitch_features`. Perplexity is the exponential of the entropy of the codes.
    """
    device = next(model.parameters()).device
    squares, wrong, counts = [], [], torch.zeros(model.config.vq_params.l_bins, dtype=torch.float64)
    for clip in clips:
        x = clip[None, :, : clip.shape[1] // FRAMES_PER_UNIT * FRAMES_PER_UNIT].to(device)
        ids = model(x)
        decoded = model.decode(ids)
        voiced = x[0, 1] > 0.5
        squares.append((decoded - x)[0, 0, voiced].square())
        wrong.append(((decoded[0, 1] > 0.5) != voiced).float())
        counts += torch.bincount(ids.flatten().cpu(), minlength=len(counts))
    hz = torch.cat(squares).mean().sqrt().item()
    share = counts[counts > 0] / counts.sum()
    perplexity = torch.exp(-(share * share.log()).sum()).item()
    return (
        f"F0 error {hz:.1f} Hz (RMS, voiced frames), voicing wrong in {100 * torch.cat(wrong).mean():.1f} % of frames, "
        f"{len(share)} of {len(counts)} codes used, perplexity {perplexity:.1f}; {counted(len(clips), 'training clip')}"
    )
