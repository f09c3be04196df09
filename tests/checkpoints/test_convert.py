"""Converted checkpoints: their content and results, their fingerprint, and interrupted conversions."""

import gzip
import json
import os
import resource
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from open_models import KMEANS

from spiritlm_cli.checkpoints import Checkpoint, convert, find_checkpoint
from spiritlm_cli.checkpoints.kmeans_pickles import read_kmeans
from spiritlm_cli.checkpoints.lazy_tensors import list_tensors, weight_files
from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.quantizer import load_quantizer
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

LM = "spiritlm_model/spirit-lm-base-7b"
PARTS = {
    "speech_tokenizer/hubert_25hz/mhubert_base_25hz.pt": "mhubert_base_25hz",
    "speech_tokenizer/hubert_25hz/L11_quantizer_500.pt": "L11_quantizer_500",
    "speech_tokenizer/vqvae_f0_quantizer/model.pt": "model",
    "speech_tokenizer/style_encoder_w2v2/pytorch_model.bin": "model",
    "speech_tokenizer/hifigan_spiritlm_base/generator.pt": "generator",
    "speech_tokenizer/hifigan_spiritlm_expressive_w2v2/generator.pt": "generator",
}


@pytest.fixture(scope="module")
def converted(release_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release tree, converted, with each language model in two files. Read-only."""
    out = tmp_path_factory.mktemp("converted") / "safe"
    assert convert.convert(str(release_tree), out, 5_000_000).files_written == len(written(out)) - 1
    return out


@pytest.fixture
def folder(release_tree: Path, tmp_path: Path) -> Path:
    """A copy of the base model's folder, to change."""
    shutil.copytree(release_tree / LM, tmp_path / "lm")
    return tmp_path / "lm"


def written(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_convert_keeps_tensors_and_configuration(release_tree: Path, converted: Path) -> None:
    for part, name in PARTS.items():
        before = read_tensors(release_tree / part)
        after = read_tensors((converted / part).with_name(f"{name}.safetensors"))
        assert after.config == before.config
        assert_equal(after.tensors, before.tensors)
    assert not [name for name in written(converted) if name.endswith((".pt", ".bin", ".part"))]


def test_convert_copies_other_files(release_tree: Path, converted: Path) -> None:
    before = written(release_tree)
    copies = {name: content for name, content in written(converted).items() if name in before}
    assert len(copies) == len(before) - len(PARTS) - 2
    assert copies == {name: before[name] for name in copies}


def test_convert_shards_language_models(release_tree: Path, converted: Path) -> None:
    index, files = weight_files(converted / LM)
    assert [file.name for file in files] == [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    after = {name: tensor for file in files for name, tensor in read_tensors(file).tensors.items()}
    assert_equal(after, read_tensors(release_tree / LM / "pytorch_model.bin").tensors)
    content = json.loads(index.read_text())
    assert content["metadata"]["total_size"] == sum(tensor.nbytes for tensor in after.values())
    for name, file in content["weight_map"].items():
        assert name in list_tensors(converted / LM / file)


def assert_equal(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in actual.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_converted_checkpoint_has_the_same_results(
    release_tree: Path, converted: Path, recording_file: Path
) -> None:
    samples, rate = soundfile.read(recording_file, dtype="float32", stop=8000)
    answers = []
    for root in map(str, (release_tree, converted)):
        units = SpeechTokenizer.load(root, device="cpu").encode(Waveform(samples, rate))
        prompt = Sequence.of([merge_streams(units)])
        greedy = Sampling(greedy=True, max_new_tokens=8)
        ids, waveforms = [], []
        for expressive in (True, False):
            said = prompt if expressive else parse_sequence("[SPEECH][Hu1][Hu2][Hu3]")
            waveforms.append(Vocoder.load(root, expressive, device="cpu").decode(said).samples.tolist())
            model = LanguageModel.load(root, expressive, device="cpu")
            ids.append(model.generate(said, "same", greedy).ids)
        answers.append((units.hubert.tolist(), units.pitch.tolist(), units.style.tolist(), ids, waveforms))
    assert answers[0] == answers[1]


def test_converted_checkpoint_keeps_the_fingerprint(
    release_tree: Path, converted: Path, tmp_path: Path
) -> None:
    expected = Checkpoint(release_tree, "").fingerprint()
    assert Checkpoint(converted, "").fingerprint() == expected
    shutil.copytree(converted, tmp_path / "moved")
    assert Checkpoint(tmp_path / "moved", "").fingerprint() == expected


@pytest.mark.parametrize("part", ["hubert", "quantizer", "pitch", "style"])
def test_replaced_part_changes_the_fingerprint(
    release_tree: Path, converted: Path, tmp_path: Path, part: str
) -> None:
    """The record of the conversion only counts for the files that it wrote."""
    shutil.copytree(converted, tmp_path / "changed")
    checkpoint = Checkpoint(tmp_path / "changed", "")
    file = read_tensors(getattr(checkpoint, part))
    name = min(file.tensors)
    write_tensors(file.path, file.tensors | {name: file.tensors[name] + 1}, file.config)
    changed = checkpoint.fingerprint()
    assert changed != Checkpoint(release_tree, "").fingerprint()
    (tmp_path / "changed" / "converted.json").unlink()
    assert checkpoint.fingerprint() == changed


def test_convert_resumes(release_tree: Path, converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    convert_until(release_tree, out, "model-00002-of-00002.safetensors")
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    assert kept
    (out / LM / ".tmpAbC123").touch()  # A temporary file of safetensors, left by a kill.
    result = convert.convert(str(release_tree), out, 5_000_000)
    assert result.files_kept >= len(kept)
    assert result.files_written + result.files_kept == len(written(out)) - 1
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert written(out).keys() == written(converted).keys()
    assert written(out) == written(converted)
    assert Checkpoint(out, "").fingerprint() == Checkpoint(release_tree, "").fingerprint()
    again = convert.convert(str(release_tree), out, 5_000_000)
    assert (again.files_written, again.bytes_written) == (0, 0)
    assert again.files_kept == result.files_written + result.files_kept


def convert_until(model: Path, out: Path, name: str) -> None:
    """Convert until just before a file of this name."""

    def notify(message: str) -> None:
        if message.endswith(name):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert.convert(str(model), out, 5_000_000, notify)
    assert not (out / "converted.json").exists()


def test_convert_resumes_only_the_same_conversion(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert_until(folder, out, "model-00002-of-00002.safetensors")
    before = written(out)
    with pytest.raises(CheckpointError, match="holds something else than this conversion"):
        convert.convert(str(folder), out, 6_000_000)
    os.utime(folder / "config.json", (1, 1))
    with pytest.raises(CheckpointError, match="holds something else than this conversion"):
        convert.convert(str(folder), out, 5_000_000)
    assert written(out) == before


def test_convert_refuses_sources_that_change_meanwhile(folder: Path, tmp_path: Path) -> None:
    def notify(message: str) -> None:
        os.utime(folder / "pytorch_model.bin", (1, 1))

    with pytest.raises(CheckpointError, match="was changed while it was converted"):
        convert.convert(str(folder), tmp_path / "out", notify=notify)
    assert not (tmp_path / "out" / "converted.json").exists()


def test_convert_refuses_parts_that_differ_from_their_source(
    release_tree: Path, converted: Path, tmp_path: Path
) -> None:
    """Such as a part that was trained further, in a folder whose conversion is then resumed."""
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    path = Checkpoint(out, "").pitch
    file = read_tensors(path)
    for tensors, config in (
        (file.tensors | {name: tensor * 2 for name, tensor in list(file.tensors.items())[:1]}, file.config),
        (file.tensors | {"more": torch.ones(1)}, file.config),
        (file.tensors, file.config | {"mean": 1}),
    ):
        write_tensors(path, tensors, config)
        (out / LM / "config.json").unlink()
        with pytest.raises(
            CheckpointError, match=r"vqvae_f0_quantizer/model\.safetensors: doesn't hold what"
        ):
            convert.convert(str(release_tree), out, 5_000_000)
        assert Checkpoint(out, "").fingerprint() != Checkpoint(release_tree, "").fingerprint()
    path.unlink()
    convert.convert(str(release_tree), out, 5_000_000)
    assert Checkpoint(out, "").fingerprint() == Checkpoint(release_tree, "").fingerprint()


def test_convert_refuses_output_folders(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="file: is a file"):
        convert.convert(str(folder), tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    with pytest.raises(CheckpointError, match="full: holds something else"):
        convert.convert(str(folder), tmp_path / "full")
    for out in (folder, folder / "new"):
        with pytest.raises(CheckpointError, match=r"lies in .*lm, which is to be converted"):
            convert.convert(str(folder), out)
    assert not (folder / "new").exists()


def test_convert_checks_the_disk_first(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(CheckpointError, match=r"takes 0\.0 GB more, and the disk has 0\.0 GB"):
        convert.convert(str(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_convert_refuses_safetensors(converted: Path, tmp_path: Path) -> None:
    for model in ("nano", str(converted), str(converted / LM)):
        with pytest.raises(CheckpointError, match=f"^{model}: .*nothing to convert"):
            convert.convert(model, tmp_path / "out")
    with pytest.raises(CheckpointError, match="no such folder"):
        convert.convert(str(tmp_path / "missing"), tmp_path / "out")
    with pytest.raises(CheckpointError, match="not a checkpoint folder"):
        convert.convert(str(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_convert_a_language_model_s_folder(folder: Path, tmp_path: Path) -> None:
    torch.save({"step": 1}, folder / "optimizer.pt")
    messages: list[str] = []
    convert.convert(str(folder), tmp_path / "out", notify=messages.append)
    assert messages[0] == "left out: optimizer.pt: not the weights of a language model"
    names = {path.name for path in folder.iterdir()} - {"optimizer.pt", "pytorch_model.bin"}
    assert written(tmp_path / "out").keys() == names | {"model.safetensors", "converted.json"}
    prompt = parse_sequence("[TEXT]the cat")
    assert LanguageModel.read(tmp_path / "out", "cpu").score(prompt) == LanguageModel.read(
        folder, "cpu"
    ).score(prompt)


def test_convert_reshards_pickles(folder: Path, tmp_path: Path) -> None:
    tensors = read_tensors(folder / "pytorch_model.bin").tensors
    (folder / "pytorch_model.bin").unlink()
    names = sorted(tensors)
    weight_map = {name: f"pytorch_model-0000{1 + index % 3}-of-00003.bin" for index, name in enumerate(names)}
    for file in set(weight_map.values()):
        torch.save({name: tensors[name] for name in names if weight_map[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    convert.convert(str(folder), tmp_path / "out", 5_000_000)
    index, files = weight_files(tmp_path / "out")
    assert (index.name, len(files)) == ("model.safetensors.index.json", 2)
    assert not list((tmp_path / "out").glob("pytorch*"))
    assert_equal({name: t for file in files for name, t in read_tensors(file).tensors.items()}, tensors)


def test_convert_tensors_that_share_memory(folder: Path, tmp_path: Path) -> None:
    tensors = read_tensors(folder / "pytorch_model.bin").tensors
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    tensors["model.norm.weight"] = tensors["model.embed_tokens.weight"][3]
    name = "model.layers.0.self_attn.o_proj.weight"
    tensors[name] = tensors[name].T
    torch.save(tensors, folder / "pytorch_model.bin")
    for size in (5_000_000, 10_000_000_000):
        out = tmp_path / str(size)
        convert.convert(str(folder), out, size)
        _, files = weight_files(out)
        assert_equal({name: t for file in files for name, t in read_tensors(file).tensors.items()}, tensors)


def test_convert_reads_torch_s_old_format(release_tree: Path, tmp_path: Path) -> None:
    part = "speech_tokenizer/hubert_25hz/L11_quantizer_500.pt"
    path = tmp_path / "old" / part
    path.parent.mkdir(parents=True)
    expected = torch.load(release_tree / part, weights_only=True)
    shared = expected["model_weight"] | {"twice": expected["model_weight"]["0.bias"]}
    torch.save(expected | {"model_weight": shared}, path, _use_new_zipfile_serialization=False)
    convert.convert(str(tmp_path / "old"), tmp_path / "out")
    after = read_tensors((tmp_path / "out" / part).with_suffix(".safetensors"))
    assert after.config == {"model_cfg": expected["model_cfg"]}
    assert_equal(after.tensors, shared)
    assert "tokenizer" not in json.loads((tmp_path / "out" / "converted.json").read_text())


def speech_tree(root: Path, content: object, name: str = "model.pt") -> Path:
    path = root / "in" / "speech_tokenizer" / "vqvae_f0_quantizer" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return root / "in"


def test_convert_leaves_out_values_that_are_not_plain(tmp_path: Path) -> None:
    content = {"model": {"a": torch.ones(2)}, "optimizer": {"state": torch.ones(2)}, "step": 3}
    messages: list[str] = []
    convert.convert(str(speech_tree(tmp_path, content)), tmp_path / "out", notify=messages.append)
    (file,) = (tmp_path / "out").rglob("*.safetensors")
    assert read_tensors(file).config == {"step": 3}
    assert "left out: model.pt: optimizer: not plain values" in messages


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {"a": torch.ones(1).expand(10**12)}},
            r"model\.pt: a, \(1000000000000,\), has elements that overlap",
        ),
        ({"a": Path}, r"model\.pt: .*only tensors and plain values are read"),
        ({"step": 3}, r"model\.pt: holds no named tensors"),
        ([torch.ones(1)], r"model\.pt: expected named tensors"),
        ({"a": torch.ones(2).to_sparse()}, r"model\.pt|model\.safetensors"),
    ],
)
def test_convert_refuses_parts(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        convert.convert(str(speech_tree(tmp_path, content)), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_convert_prefers_safetensors_beside_pickles(tmp_path: Path) -> None:
    """As loading a checkpoint does."""
    root = speech_tree(tmp_path, {"a": torch.zeros(2)})
    write_tensors(root / "speech_tokenizer/vqvae_f0_quantizer/model.safetensors", {"a": torch.ones(2)})
    speech_tree(tmp_path, {"b": torch.ones(1)}, "other.pt")
    messages: list[str] = []
    convert.convert(str(root), tmp_path / "out", notify=messages.append)
    folder = tmp_path / "out" / "speech_tokenizer" / "vqvae_f0_quantizer"
    assert read_tensors(folder / "model.safetensors").tensors["a"].tolist() == [1, 1]
    assert read_tensors(folder / "other.safetensors").tensors["b"].tolist() == [1]
    assert "left out: speech_tokenizer/vqvae_f0_quantizer/model.pt: safetensors are beside it" in messages
    speech_tree(tmp_path, {"b": torch.ones(1)}, "other.bin")
    with pytest.raises(CheckpointError, match=r"two files would become .*other\.safetensors"):
        convert.convert(str(root), tmp_path / "out2")


def test_convert_keeps_the_style_encoder_that_is_loaded(tmp_path: Path) -> None:
    """If there are two, `Checkpoint.style` is the one in safetensors."""
    root = speech_tree(tmp_path, {"a": torch.zeros(2)})
    folder = root / "speech_tokenizer" / "style_encoder_w2v2"
    write_tensors(folder / "model.safetensors", {"a": torch.ones(1)})
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    convert.convert(str(root), tmp_path / "out")
    for checkpoint in (root, tmp_path / "out"):
        assert read_tensors(Checkpoint(checkpoint, "").style).tensors["a"] == 1


def test_convert_gives_equal_files_for_equal_checkpoints(release_tree: Path, tmp_path: Path) -> None:
    """Whatever the times, the permissions, and the order of the files in their folders."""
    copies = []
    for n in (1, 2):
        root = tmp_path / f"in{n}" / "model"
        paths = [path for path in release_tree.rglob("*") if path.is_file() and "expressive" not in str(path)]
        for path in sorted(paths, reverse=n == 2):
            copy = root / path.relative_to(release_tree)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copy.chmod(0o600 if n == 2 else 0o644)
            os.utime(copy, (n, n))
        convert.convert(str(root), tmp_path / f"out{n}", 5_000_000)
        copies.append(written(tmp_path / f"out{n}"))
    assert copies[0] == copies[1]
    os.utime(copy, (3, 3))
    assert convert.convert(str(root), tmp_path / "out2", 5_000_000).files_written == 0
    copy.write_bytes(bytes(copy.stat().st_size))
    with pytest.raises(CheckpointError, match="out2: holds something else"):
        convert.convert(str(root), tmp_path / "out2", 5_000_000)


def test_convert_follows_links_inside_and_skips_hidden_files(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "spiritlm_model").mkdir(parents=True)
    folder = folder.rename(root / "stored")
    (root / "spiritlm_model" / "spirit-lm-base-7b").symlink_to("../stored")
    (folder / "back").symlink_to(root)
    (folder / "same.json").symlink_to("config.json")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.bin").touch()
    (folder / ".secret").symlink_to("/etc/passwd")
    (root / ".gitattributes").touch()
    (tmp_path / "link").symlink_to(root)
    convert.convert(str(tmp_path / "link"), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").rglob("*")}
    assert {"model.safetensors", "same.json"} <= names
    assert not {".secret", ".cache", ".gitattributes", "x.bin"} & names


@pytest.mark.parametrize("target", ["file", "folder", "above"])
def test_convert_refuses_links_out_of_the_checkpoint(folder: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    link = folder / "notes"
    link.symlink_to({"file": tmp_path / "private" / "key", "folder": "../private", "above": ".."}[target])
    with pytest.raises(CheckpointError, match=r"lm/notes: is a link to .*, outside of the checkpoint"):
        convert.convert(str(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_convert_follows_links_to_the_hub_s_blobs(folder: Path, tmp_path: Path) -> None:
    blobs, snapshot = (
        tmp_path / "models--a--b" / "blobs",
        tmp_path / "models--a--b" / "snapshots" / ("1" * 40),
    )
    blobs.parent.mkdir()
    folder.rename(blobs)
    snapshot.mkdir(parents=True)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    convert.convert(str(snapshot), tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.model").read_bytes() == (blobs / "tokenizer.model").read_bytes()
    (snapshot / "other").symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match=r"other: is a link to"):
        convert.convert(str(snapshot), tmp_path / "out2")


@pytest.mark.parametrize("kind", ["pipe", "loop", "missing"])
def test_convert_refuses_what_is_no_file(folder: Path, tmp_path: Path, kind: str) -> None:
    path = folder / "notes"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("notes" if kind == "loop" else "nowhere")
    with pytest.raises(CheckpointError, match="lm/notes: "):
        convert.convert(str(folder), tmp_path / "out")


@pytest.mark.parametrize("size", [0, 10_000, 1_000_000])
def test_convert_on_a_full_disk_leaves_no_part_of_a_file(folder: Path, tmp_path: Path, size: int) -> None:
    """The limit on the size of a file stands for the disk."""
    out = tmp_path / "out"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises((CheckpointError, OSError), match="File too large") as caught:
            convert.convert(str(folder), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(out) in str(caught.value)
    assert all(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert not list(out.rglob(".*"))
    assert not list(out.rglob("*.safetensors"))
    convert.convert(str(folder), out)
    assert list(out.rglob("*.safetensors"))


def test_convert_twist_keeps_units_and_fingerprint(twist_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "twist"
    assert convert.convert(str(twist_folder), out).files_written == 5
    assert {path.suffix for path in out.rglob("*") if path.is_file()} == {".safetensors", ".json"}
    before, after = find_checkpoint(str(twist_folder)), find_checkpoint(str(out))
    assert (type(after), after.fingerprint()) == (type(before), before.fingerprint())
    centers = [load_quantizer(checkpoint.quantizer).centers for checkpoint in (before, after)]
    assert torch.equal(*centers)
    assert after.generator(False).suffix == ".safetensors"
    assert convert.convert(str(twist_folder), out).files_written == 0


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3)])
def test_convert_kmeans(twist_folder: Path, tmp_path: Path, compress: Any) -> None:
    content = (twist_folder / KMEANS).read_bytes()
    pack = {0: lambda data: data, 3: zlib.compress}.get(compress, gzip.compress)
    source, out = tmp_path / "km.bin", tmp_path / "new" / "L11_km500.safetensors"
    source.write_bytes(pack(content))
    centers = read_kmeans(twist_folder / KMEANS)
    assert convert.convert(str(source), out) == convert.ConversionResult(out, 1, out.stat().st_size, 0)
    assert_equal(read_tensors(out).tensors, {"cluster_centers": centers})
    assert torch.equal(load_quantizer(out).centers, centers)
    assert convert.convert(str(source), out).files_kept == 1


def test_convert_kmeans_replaces_no_file(twist_folder: Path, tmp_path: Path) -> None:
    source = str(twist_folder / KMEANS)
    with pytest.raises(CheckpointError, match=r"out: a k-means becomes a file.*_km500\.safetensors"):
        convert.convert(source, tmp_path / "out")
    out = tmp_path / "x.safetensors"
    write_tensors(out, {"cluster_centers": torch.ones(2, 2)})
    with pytest.raises(CheckpointError, match=r"x\.safetensors: is there already"):
        convert.convert(source, out)
    out.write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"x\.safetensors: "):
        convert.convert(source, out)
    assert out.read_bytes() == b"x"
    with pytest.raises(CheckpointError, match="a k-means has no text; leave out --text-tokenizer"):
        convert.convert(source, tmp_path / "y.safetensors", text_tokenizer="x")
    (tmp_path / "text.bin").write_text("x")
    with pytest.raises(CheckpointError, match=r"text\.bin: cut off or not a checkpoint"):
        convert.convert(str(tmp_path / "text.bin"), tmp_path / "new.safetensors")
