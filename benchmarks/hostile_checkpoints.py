"""Load damaged and hostile checkpoints, each in a process of its own, and count what happens.

    python benchmarks/hostile_checkpoints.py [--trials 1500] [--seed 0] [--only NAME] [--gigabytes 2] [--seconds 60]

Of a tiny checkpoint with pickles, of nano, of a tiny aligner, and of models of other programs, one thing is changed at
a time: a field of a configuration, a file, or a tensor. The part is then loaded and used once, or converted, with a
limit on memory and on CPU seconds.
It must work, or raise a typed error. Prints a table, and how to repeat whatever else happened; exits with status 1 if
there was anything.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import fairseq_checkpoint  # noqa: E402
import open_models  # noqa: E402
from release_tree import write_release_tree  # noqa: E402

from spiritlm_cli.checkpoints.checkpoint import NANO  # noqa: E402
from spiritlm_cli.checkpoints.tensors import TensorFile, read_tensors, write_tensors  # noqa: E402
from spiritlm_cli.console import one_line  # noqa: E402
from spiritlm_cli.errors import AlignmentError, CheckpointError, SpiritLMError  # noqa: E402
from spiritlm_cli.manifests.clip import Waveform  # noqa: E402

VALUES: tuple[Any, ...] = (
    0,
    -1,
    3,
    10**9,
    1e300,
    float("nan"),
    "x",
    "",
    [],
    [0],
    [10**9],
    {},
    None,
    True,
    10**400,
)
CUTS = (0.1, 0.5, 0.9, 0.999)
# Most values of an object or a list that are changed: `id2label` has a hundred.
MAX_ITEMS = 3
MAX_TENSORS = 12

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Trial:
    """A change of one file. tree, part: what is changed, and loaded afterwards; file: its path in the tree."""

    kind: str
    tree: str
    part: str
    file: str
    what: str
    change: Change

    @property
    def name(self) -> str:
        """What `--only` takes."""
        return f"{self.tree}:{self.file}:{self.what}"


@dataclass(frozen=True)
class Result:
    """How a trial ended: "works", "typed error", or anything else, with its reason."""

    outcome: str
    reason: str = ""


def use_tokenizer(root: Path) -> None:
    """Encode two clips of different lengths."""
    from spiritlm_cli.speech.tokenizer import SpeechTokenizer

    samples = np.random.default_rng(0).standard_normal(12_000).astype(np.float32) / 10
    tokenizer = SpeechTokenizer.load(str(root), device="cpu")
    tokenizer.encode_batch([Waveform(samples, 16000), Waveform(samples[:9000], 16000)])


def use_vocoder(root: Path) -> None:
    """Synthesize a line with predicted durations, by the vocoder that the changed file belongs to."""
    from spiritlm_cli.tokens.reader import parse_sequence
    from spiritlm_cli.vocoder.vocoder import Vocoder

    for expressive in (True, False):
        if expressive or root.name != "nano":
            vocoder = Vocoder.load(str(root), expressive, device="cpu")
            vocoder.decode(parse_sequence("[SPEECH][St1][Pi3][Hu5][Hu6][Hu7][Hu8]"), durations="predict")


def use_language_model(root: Path) -> None:
    """Generate three tokens, limited in seconds as well, and score a line."""
    from spiritlm_cli.language.model import LanguageModel
    from spiritlm_cli.language.sampling import Sampling
    from spiritlm_cli.tokens.reader import parse_sequence

    for expressive in (True, False):
        if expressive or root.name != "nano":
            model = LanguageModel.load(str(root), expressive, device="cpu")
            line = parse_sequence("[TEXT]the cat[SPEECH][Hu5][Hu6]")
            model.generate(line, "speech", Sampling(max_new_tokens=3, seed=1, max_seconds=1))
            model.score(line)


def use_aligner(root: Path) -> None:
    """Align a word."""
    from spiritlm_cli.alignment.ctc import CtcAligner

    samples = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) / 10
    aligner = CtcAligner.load(str(root), "cpu")
    with suppress(AlignmentError):  # noise does not match the text
        aligner.align(Waveform(samples, 16000), "a")


def use_conversion(root: Path) -> None:
    """Convert all models of other programs."""
    from spiritlm_cli.checkpoints.convert import convert

    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((root / "conversion").iterdir()):
            name = f"{path.stem}.safetensors" if path.name == open_models.KMEANS else path.stem
            convert(str(path), Path(folder) / name)


USES: dict[str, Callable[[Path], None]] = {
    "conversion": use_conversion,
    "tokenizer": use_tokenizer,
    "vocoder": use_vocoder,
    "language model": use_language_model,
    "aligner": use_aligner,
}


def part_of(file: str) -> str:
    """The part of a checkpoint that reads a file."""
    if file.startswith("conversion/"):
        return "conversion"
    if file.startswith("spiritlm_model/"):
        return "language model"
    if "hifigan" in file:
        return "vocoder"
    return "tokenizer" if file.startswith("speech_tokenizer/") else "aligner"


def trials(trees: dict[str, Path]) -> Iterator[Trial]:
    """All changes of all files of the trees, by name."""
    for tree, root in trees.items():
        for path in sorted(root.rglob("*")):
            file = path.relative_to(root).as_posix()
            if (
                not path.is_file()
                or path.suffix == ".md"
                or path.name in ("generation_config.json", "README")
            ):
                continue
            for kind, what, change in (*file_changes(path), *config_changes(path), *tensor_changes(path)):
                yield Trial(kind, tree, part_of(file), file, what, change)


def file_changes(path: Path) -> Iterator[tuple[str, str, Change]]:
    """Yield changes of a file as a whole: cut off, damaged, or of another kind."""
    size = path.stat().st_size

    def write(function: Callable[[bytes], bytes]) -> Change:
        # The content is read when it is changed: there are thousands of changes.
        return lambda target: target.write_bytes(function(path.read_bytes())) and None

    def link(to: str) -> Change:
        return lambda target: target.symlink_to(to)

    for cut in CUTS:
        yield "files", f"cut at {cut}", write(lambda content, cut=cut: content[: int(cut * size)])
    yield "files", "empty", write(lambda content: b"")
    yield "files", "noise", write(lambda content: random.Random(0).randbytes(min(size, 100_000)))
    yield "files", "zeros", write(lambda content: bytes(min(size, 1_000_000)))
    yield "files", "appended", write(lambda content: content + b"x" * 1000)
    yield "files", "missing", lambda target: None
    yield "files", "folder", lambda target: target.mkdir()
    yield "files", "pipe", lambda target: os.mkfifo(target)
    yield "files", "endless device", link("/dev/zero")
    yield "files", "link to nothing", link("nowhere")
    yield "files", "link to itself", link(path.name)
    yield "files", "link to memory", link("/proc/self/mem")
    for number in range(12):
        yield "files", f"bytes changed, {number}", write(partial(bytes_changed, seed=number))


def bytes_changed(content: bytes, seed: int) -> bytes:
    """Change up to three bytes where headers are: near the beginning, or near the end."""
    rng = random.Random(seed)
    changed = bytearray(content)
    for _ in range(1 + seed % 3):
        first, last = rng.randrange(min(len(changed), 2000)), -1 - rng.randrange(min(len(changed), 500))
        changed[rng.choice((first, last))] = rng.randrange(256)
    return bytes(changed)


def config_changes(path: Path) -> Iterator[tuple[str, str, Change]]:
    """Yield changes of each value of a configuration: that of a JSON or YAML file, or beside tensors."""
    if path.suffix in (".json", ".yaml"):
        read = json.loads if path.suffix == ".json" else yaml.safe_load
        for where, changed in changed_values(read(path.read_text())):
            yield "configurations", where, lambda target, changed=changed: write_config(target, changed)
    elif path.suffix in (".pt", ".bin", ".safetensors"):
        config = read_if_plain(path).config
        for where, changed in changed_values({k: v for k, v in config.items() if k.endswith("cfg")}):
            yield (
                "configurations",
                where,
                lambda target, changed=changed: write_part(path, target, config=changed),
            )


def read_if_plain(path: Path) -> TensorFile:
    """The content of a file of tensors and plain values; empty for one with objects of other programs."""
    try:
        return read_tensors(path)
    except CheckpointError:
        return TensorFile(path, {})


def changed_values(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a value of a configuration with each part of it replaced, removed, or added to, and the part's name."""
    keys = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for key in keys[:MAX_ITEMS] if len(keys) > 40 else keys:
        inner, name = value[key], f"{where}.{key}"
        for replacement in (*VALUES, [inner] * 3, {"a": inner}):
            if type(replacement) is not type(inner) or replacement != inner:
                yield f"{name} = {str(replacement)[:30]}", replaced(value, key, replacement)
        if isinstance(value, dict):
            yield f"{name} removed", {k: v for k, v in value.items() if k != key}
        for part, changed in changed_values(inner, name):
            yield part, replaced(value, key, changed)
    if isinstance(value, dict):
        yield f"{where}.auto_map added", value | {"auto_map": {"AutoConfig": "evil.Config"}}


def replaced(value: Any, key: Any, new: Any) -> Any:
    """A copy of an object or a list with one value replaced."""
    copy = value.copy()
    copy[key] = new
    return copy


def write_config(path: Path, content: Any) -> None:
    """Write JSON or YAML."""
    path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content))


def tensor_changes(path: Path) -> Iterator[tuple[str, str, Change]]:
    """Yield changes of some tensors of a file: their values, dtypes, shapes and storage."""
    if path.suffix not in (".pt", ".bin", ".safetensors"):
        return
    names = sorted(read_if_plain(path).tensors)
    is_pickle = path.suffix != ".safetensors"
    for name in names[:: max(1, len(names) // MAX_TENSORS)]:
        for what, function in {**TENSOR_CHANGES, **(PICKLED_CHANGES if is_pickle else {})}.items():
            change = lambda target, name=name, function=function: write_part(path, target, name, function)  # noqa: E731
            yield "tensors", f"{name} {what}", change


TENSOR_CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor | None]] = {
    "removed": lambda tensor: None,
    "of another shape": lambda tensor: tensor[None],
    "with a row more": lambda tensor: torch.cat([tensor, tensor[:1]]) if tensor.ndim else tensor[None],
    "empty": lambda tensor: tensor.new_zeros(0),
    "flat": lambda tensor: tensor.flatten(),
    "as int64": lambda tensor: tensor.long(),
    "as complex": lambda tensor: tensor.to(torch.complex64),
    "as bool": lambda tensor: tensor.bool(),
    "as float64": lambda tensor: tensor.double(),
    "as float8": lambda tensor: tensor.to(torch.float8_e4m3fn),
    "of NaN": lambda tensor: torch.full_like(tensor, torch.nan),
    "of infinity": lambda tensor: torch.full_like(tensor, torch.inf),
    "of the largest number": lambda tensor: torch.full_like(tensor, torch.finfo(tensor.dtype).max),
    "of zeros": torch.zeros_like,
    "of 1000": lambda tensor: torch.full_like(tensor, 1000),
}
PICKLED_CHANGES: dict[str, Callable[[torch.Tensor], Any]] = {
    "sparse": lambda tensor: tensor.to_sparse(),
    "on the meta device": lambda tensor: tensor.to("meta"),
    "with strides of 0": lambda tensor: tensor.new_zeros(1).expand(tensor.shape),
    "of 10¹² values": lambda tensor: tensor.new_zeros(1).expand(10**12),
    "transposed in memory": lambda tensor: tensor.T.contiguous().T if tensor.ndim == 2 else tensor,
    "as a number": lambda tensor: 3,
    "as a text": lambda tensor: "x" * 1000,
    "as a list": lambda tensor: [[]] * 1000,
    "as a parameter": torch.nn.Parameter,
}


def write_part(
    source: Path,
    target: Path,
    name: str | None = None,
    function: Callable[[torch.Tensor], Any] = lambda tensor: tensor,
    config: dict[str, Any] | None = None,
) -> None:
    """Write the tensors and configuration of a file with one tensor or the configuration changed, in its format."""
    if source.suffix == ".safetensors":
        file = read_tensors(source)
        tensors = dict(file.tensors)
        if name:
            changed = function(tensors.pop(name))
            tensors |= {} if changed is None else {name: changed}
        write_tensors(target, tensors, file.config | (config or {}))
        return
    content = torch.load(source, weights_only=True) | (config or {})
    state = next((content[key] for key in ("model_weight", "generator", "model") if key in content), content)
    if name:
        changed = function(state.pop(name))
        if changed is not None:
            state[name] = changed
    torch.save(content, target)


def run(trial: Trial, tree: Path, work: Path, gigabytes: float, seconds: int) -> Result:
    """Change a copy of the tree, whose other files are hard links, and use it in a child process with limits."""
    root = work / tree.name
    shutil.rmtree(root, ignore_errors=True)
    for path in tree.rglob("*"):
        copy = root / path.relative_to(tree)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.relative_to(tree).as_posix() != trial.file:
            copy.hardlink_to(path)
    trial.change(root / trial.file)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        result = use(trial, root, gigabytes, seconds)
        os.write(writer, json.dumps(result).encode()[:60_000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Result("killed", f"by {signal.Signals(os.WTERMSIG(status)).name}")
    return Result(*json.loads(answer)) if answer else Result("killed", f"status {status}")


def use(trial: Trial, root: Path, gigabytes: float, seconds: int) -> tuple[str, str]:
    """In the child process: use the part, and return how that ended and why."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    signal.alarm(20 * seconds)  # for what waits; a busy machine takes longer than its CPU time
    try:
        USES[trial.part](root)
    except SpiritLMError as error:
        if len(one_line(str(error))) > 2000:
            return "other", f"a message of {len(str(error))} characters"
        return "typed error", f"{type(error).__name__}: {error}"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))
        return "other", f"{type(error).__name__}: {str(error)[:500]} ({where})"
    return "works", ""


def make_trees(work: Path) -> dict[str, Path]:
    """Write the checkpoints that are changed."""
    import ctc_fixtures
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(0)
    write_release_tree(work / "tiny")
    shutil.copytree(NANO, work / "nano")
    ctc_fixtures.write_folder(work / "aligner", Wav2Vec2ForCTC(Wav2Vec2Config(**ctc_fixtures.TINY)))
    write_foreign(work / "foreign" / "conversion", work / "open")
    return {name: work / name for name in ("tiny", "nano", "aligner", "foreign")}


def write_foreign(out: Path, work: Path) -> None:
    """Write models that are converted: fairseq's HuBERT in two forms, a k-means, and a slamkit model with its text."""
    out.mkdir(parents=True)
    open_models.write_twist(work)
    hubert = read_tensors(work / open_models.HUBERT / "model.safetensors").tensors
    names = fairseq_checkpoint.with_heads(fairseq_checkpoint.fairseq_names(hubert))
    fairseq_checkpoint.save(out / "objects.pt", names, "omegaconf")
    cfg = {"model": fairseq_checkpoint.MODEL, "task": fairseq_checkpoint.TASK}
    torch.save({"cfg": cfg, "model": names}, out / "plain.pt")
    shutil.copyfile(work / open_models.KMEANS, out / open_models.KMEANS)
    open_models.write_language_model(out, "sims-qwen")
    open_models.write_text_tokenizer(work, "text-qwen")
    for path in (work / "text-qwen").iterdir():
        shutil.copyfile(path, out / "sims-qwen" / path.name)


def table(results: list[tuple[Trial, Result]]) -> str:
    """A Markdown table of what happened, by what was changed in which part."""
    lines = ["| changed | part | tried | works | typed error | anything else |", "|---|---|---|---|---|---|"]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for trial, result in results:
        counts.setdefault((trial.kind, trial.part), Counter())[result.outcome] += 1
    for (kind, part), count in sorted(counts.items()):
        works, typed = count["works"], count["typed error"]
        lines.append(
            f"| {kind} | {part} | {count.total()} | {works} | {typed} | {count.total() - works - typed} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1500, help="number of trials, drawn from all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="run the trials with this text in their names")
    parser.add_argument(
        "--gigabytes", type=float, default=2.0, help="memory of a trial beyond that of the imports"
    )
    parser.add_argument("--seconds", type=int, default=60, help="CPU seconds of a trial")
    options = parser.parse_args()
    torch.set_num_threads(1)
    import spiritlm_cli.alignment.ctc
    import spiritlm_cli.language.model
    import spiritlm_cli.language.transformers_llama
    import spiritlm_cli.speech.tokenizer
    import spiritlm_cli.vocoder.vocoder  # noqa: F401

    results: list[tuple[Trial, Result]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        trees = make_trees(work)
        chosen = list(trials(trees))
        print(f"{len(chosen)} changes", file=sys.stderr)
        if options.only:
            chosen = [trial for trial in chosen if options.only in trial.name]
        random.Random(options.seed).shuffle(chosen)
        for number, trial in enumerate(chosen[: options.trials], 1):
            if number % 100 == 0:
                print(f"{number} tried", file=sys.stderr, flush=True)
            result = run(trial, trees[trial.tree], work / "changed", options.gigabytes, options.seconds)
            results.append((trial, result))
            if result.outcome not in ("works", "typed error") or options.only:
                print(f"{trial.name}\n    {result.outcome}: {result.reason}", flush=True)
    print(table(results))
    failures = [trial for trial, result in results if result.outcome not in ("works", "typed error")]
    for trial in failures:
        print(f"python benchmarks/hostile_checkpoints.py --only {trial.name!r}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
