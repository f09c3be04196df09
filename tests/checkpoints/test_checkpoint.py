"""Where the parts of a checkpoint are, and the fingerprint of its tokenizer."""

import hashlib
import shutil
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.checkpoints.convert import convert
from spiritlm_cli.checkpoints.lazy_tensors import weight_files
from spiritlm_cli.errors import CheckpointError


def test_safetensors_are_preferred_to_pickles(tmp_path: Path) -> None:
    folder = tmp_path / "speech_tokenizer" / "hubert_25hz"
    folder.mkdir(parents=True)
    for suffix in (".pt", ".safetensors"):
        for name in ("mhubert_base_25hz", "L11_quantizer_500"):
            (folder / f"{name}{suffix}").touch()
        checkpoint = find_checkpoint(str(tmp_path))
        assert {checkpoint.hubert.suffix, checkpoint.quantizer.suffix} == {suffix}
    style = tmp_path / "speech_tokenizer" / "style_encoder_w2v2"
    style.mkdir()
    for name in ("pytorch_model.bin", "model.safetensors"):
        (style / name).touch()
        assert checkpoint.style == style / name == weight_files(style)[0]


def test_quantizer_refuses_two_files(tmp_path: Path) -> None:
    folder = tmp_path / "speech_tokenizer" / "hubert_25hz"
    folder.mkdir(parents=True)
    for name in ("L6_quantizer_500.pt", "L11_quantizer_500.pt"):
        (folder / name).touch()
    with pytest.raises(CheckpointError, match="several quantizers: L11_quantizer_500, L6_quantizer_500"):
        find_checkpoint(str(tmp_path)).quantizer  # noqa: B018


def test_missing_parts_are_named(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "mine")
    for part, name in (
        ("hubert", r"mhubert_base_25hz\.pt"),
        ("quantizer", r"L11_quantizer_500\.pt"),
        ("pitch", r"model\.pt"),
        ("pitch_config", r"config\.yaml"),
        ("style", r"model\.safetensors: missing \(or pytorch_model\.bin\)"),
    ):
        with pytest.raises(CheckpointError, match=name):
            getattr(checkpoint, part)
    with pytest.raises(CheckpointError, match="mine has no vocoder for base units"):
        checkpoint.generator(expressive=False)
    with pytest.raises(CheckpointError, match="mine has no language model for expressive units"):
        checkpoint.language_model(expressive=True)


def test_fingerprint_of_a_complete_checkpoint_is_the_hash_of_its_four_files(release_tree: Path) -> None:
    checkpoint = Checkpoint(release_tree, "")
    files = (checkpoint.hubert, checkpoint.quantizer, checkpoint.pitch, checkpoint.style)
    assert checkpoint.tokenizer_files == files
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert checkpoint.fingerprint() == digest[:12]


@pytest.mark.parametrize(
    "missing", [["pitch"], ["style"], ["pitch", "style"]], ids=["no pitch", "no style", "neither"]
)
def test_fingerprint_without_pitch_or_style_is_that_of_the_phonetic_units(
    tree: Path, release_tree: Path, missing: list[str]
) -> None:
    checkpoint = Checkpoint(tree, "")
    for part in missing:
        getattr(checkpoint, part).unlink()
    files = (checkpoint.hubert, checkpoint.quantizer)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert checkpoint.fingerprint() == digest[:12]
    assert checkpoint.fingerprint() != Checkpoint(release_tree, "").fingerprint()


def test_fingerprint_of_a_converted_base_checkpoint_stays(tree: Path, tmp_path: Path) -> None:
    for folder in ("vqvae_f0_quantizer", "style_encoder_w2v2"):
        shutil.rmtree(tree / "speech_tokenizer" / folder)
    expected = Checkpoint(tree, "").fingerprint()
    out = tmp_path.parent / f"{tmp_path.name}-converted"
    convert(str(tree), out)
    assert Checkpoint(out, "").fingerprint() == expected


def test_fingerprint_needs_hubert_and_quantizer(tree: Path) -> None:
    checkpoint = Checkpoint(tree, "")
    checkpoint.quantizer.unlink()
    with pytest.raises(CheckpointError, match="missing L11_quantizer_500"):
        checkpoint.fingerprint()
