import json

from rich.console import Console

from spiritlm_cli.profiling.report import SpeedReport, StageSpeed

REPORT = SpeedReport(
    model="nano",
    device="cpu",
    threads=2,
    dtype="float32",
    seconds=60.0,
    clips=4,
    peak=98.7e9,
    stages=(
        StageSpeed("hubert", 489.31, "seconds of sound", "float32", 0.554, 527_000_000),
        StageSpeed("generate", 368.72, "tokens", "float32", None, 617_000_000),
    ),
)


def test_table() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(REPORT.table())
    lines = capture.get().splitlines()
    assert lines[0].strip() == REPORT.setting == "nano on cpu, 2 threads, float32, 60 s of sound in 4 clips"
    hubert, generate = (next(line for line in lines if stage in line) for stage in ("hubert", "generate"))
    for text in ("489.3 × real time", "55 %", "527 MB"):
        assert text in hubert
    for text in ("368.7 tokens/s", "617 MB"):
        assert text in generate
    assert "%" not in generate
    assert "99 GFLOP/s" in capture.get()


def test_to_json() -> None:
    parsed = json.loads(json.dumps(REPORT.to_json(), allow_nan=False))
    assert (parsed["model"], parsed["clips"], parsed["stages"][1]["share"]) == ("nano", 4, None)
