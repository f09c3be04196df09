"""Each job on a Ray cluster of one worker, against the same job in this process."""

import importlib.util
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from spiritlm_cli.errors import AudioError, CheckpointError, OptionError, SpiritLMError, TokenError
from spiritlm_cli.jobs import align, decode, evaluate, generate, interleave, score, tokenize
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.jobs.options import AsrOptions
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.tokens.reader import parse_line

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'spiritlm[ray]'"
)
TEXT = "and a strip of cow skin for a belt to hold it in."


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Connect this process to a Ray cluster of two CPUs, which one worker uses."""
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@dataclass(frozen=True)
class Job:
    """A job with inputs of which the second can't be used."""

    run: Callable[[Any], Summary]
    options: Any

    def outputs(self, folder: Path, **options: object) -> tuple[Summary, dict[str, bytes]]:
        """Run the job. Returns its summary, and the content of the files that it wrote."""
        output = type(self.options.output)(f"{folder}/{self.options.output}")
        summary = self.run(replace(self.options, output=output, errors=folder / "errors", **options))
        return summary, self.files(folder)

    @staticmethod
    def files(folder: Path) -> dict[str, bytes]:
        """The content of all files in a folder."""
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def inputs(tmp_path: Path, recording_file: Path) -> Path:
    """A folder with clips.tsv and lines.txt; the second of their three inputs can't be used."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    soundfile.write(tmp_path / "long.wav", samples[: 3 * rate], rate)
    (tmp_path / "clips.tsv").write_text(
        f"id\taudio\tend\ttext\na\tlong.wav\t3\t{TEXT}\nbad\tgone.wav\t\thello\nb\tlong.wav\t2.9\t{TEXT}\n"
    )
    (tmp_path / "lines.txt").write_bytes(
        b"a\t[SPEECH][St3][Pi5][Hu1][Hu2][Hu3]\nbad\t[SPEECH][Hu1]\xff\nb\t[TEXT]the cat[SPEECH][St1][Pi2][Hu4]\n"
    )
    return tmp_path


@pytest.fixture
def job(request: pytest.FixtureRequest, inputs: Path, release_tree: Path) -> Job:
    """The job that a test is parametrized with."""
    clips = {"manifest": str(inputs / "clips.tsv"), "device": "cpu"}
    lines = {"files": (str(inputs / "lines.txt"),), "device": "cpu", "model": str(release_tree)}
    out, model = Path("out"), str(release_tree)
    jobs = {
        "tokenize": Job(tokenize.run, tokenize.TokenizeOptions(output=out, model=model, **clips)),
        "align": Job(align.run, align.AlignOptions(output="out", workers=1, **clips)),
        "align to a folder": Job(align.run, align.AlignOptions(output="out/", workers=0, **clips)),
        "interleave": Job(
            interleave.run, interleave.InterleaveOptions(output=out, model=model, seed=1, copies=2, **clips)
        ),
        "generate": Job(
            generate.run,
            generate.GenerateOptions(output=out, seed=1, num_samples=2, max_new_tokens=9, **lines),
        ),
        "score": Job(score.run, generate.GenerateOptions(output=out, score=True, **lines)),
        "evaluate": Job(
            evaluate.run,
            AsrOptions(
                output=out,
                model=model,
                device="cpu",
                manifest=inputs / "clips.tsv",
                normalizer="spoken",
                max_new_tokens=3,
            ),
        ),
        "decode": Job(decode.run, decode.DecodeOptions(output="out/", durations="keep", **lines)),
    }
    return jobs[request.param]


@needs_ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    "job",
    ["tokenize", "align", "align to a folder", "interleave", "generate", "score", "evaluate", "decode"],
    indirect=True,
)
def test_outputs_and_errors_equal_those_of_this_process(job: Job, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    summary, files = job.outputs(here, on_error="skip")
    assert (summary.inputs, summary.failed) == (3, 1)
    assert files["errors"].startswith(b"bad\t")
    assert len(files) > 1
    assert job.outputs(there, on_error="skip", ray="auto") == (summary, files)


@needs_ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("job", "error"), [("tokenize", AudioError), ("generate", TokenError)], indirect=["job"]
)
def test_interrupted_run_is_resumed(job: Job, error: type[SpiritLMError], tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    whole.mkdir()
    resumed.mkdir()
    expected = job.outputs(whole, on_error="skip")
    with pytest.raises(error, match=r"gone\.wav: no such file|lines\.txt: line 2"):
        job.outputs(resumed, ray="auto")
    assert {"out.part", "out.part.json"} <= set(Job.files(resumed))
    assert job.outputs(resumed, on_error="skip", resume=True, ray="auto") == expected


@needs_ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the worker in /proc")
def test_killed_worker_is_replaced(release_tree: Path) -> None:
    options = generate.GenerateOptions(
        model=str(release_tree), device="cpu", seed=1, max_new_tokens=100, batch_size=1
    )
    lines = [
        InputLine("lines.txt", number, number, None, parse_line(f"[TEXT]the cat {number}"))
        for number in range(1, 33)
    ]
    compute = generate.GenerateCompute(options)
    expected = [outcome.result() for _, outcome in computed(compute, lines, None)]
    outcomes = computed(compute, lines, "auto")
    results = [next(outcomes)[1].result()]
    (worker,) = workers()
    os.kill(worker, signal.SIGKILL)
    results += [outcome.result() for _, outcome in outcomes]
    assert results == expected


def workers() -> list[int]:
    """The processes of the workers that this process has started on its cluster."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b"Worker" in title and os.getpid() in ancestors(int(folder.name)):
            found.append(int(folder.name))
    return found


def ancestors(process: int) -> Iterator[int]:
    """The parent of a process, its parent, and so on."""
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        yield process


def test_missing_checkpoint_is_named_before_ray_is_started(tmp_path: Path) -> None:
    compute = tokenize.TokenizeCompute(tokenize.TokenizeOptions(model=str(tmp_path / "gone")))
    with pytest.raises(CheckpointError, match="gone"):
        computed(compute, [], "local")


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"stream": True}, "--ray"),
        ({"device_map": "auto"}, "--device-map"),
        ({"task": "asr", "examples": "-", "prompt": "[TEXT]x"}, "--examples"),
    ],
)
def test_check_refuses_what_a_cluster_cannot_do(options: dict[str, object], flag: str) -> None:
    with pytest.raises(OptionError) as raised:
        generate.GenerateOptions(ray="local", **options).check()  # type: ignore[arg-type]
    assert raised.value.option == flag
