"""What is installed here, what is broken, and what to do about it."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from spiritlm_cli.files import naming
from spiritlm_cli.jobs.options.doctor import DoctorOptions
from spiritlm_cli.profiling.checks.environment import check_environment
from spiritlm_cli.profiling.checks.finding import Finding, Section, reason
from spiritlm_cli.profiling.checks.isolated import CallResult, IsolatedProcess
from spiritlm_cli.profiling.checks.packages import check_dependencies, check_extras, read_requirements
from spiritlm_cli.profiling.checks.rendering import render_lines, summary
from spiritlm_cli.profiling.checks.system import check_installation, check_machine

__all__ = ["Diagnosis", "DoctorOptions", "examine", "run"]

# Longer lines are hard to read.
_MAX_WIDTH = 110

_CHECKS = "profiling.checks"
_TESTS = {
    "tokenize": f"{_CHECKS}.self_test:try_tokenizer",
    "generate": f"{_CHECKS}.self_test:try_language_model",
    "decode": f"{_CHECKS}.self_test:try_vocoder",
}
_UNEXPECTED = "a check of `doctor` itself failed; report it, with this line"


@dataclass(frozen=True)
class Diagnosis:
    """All findings. failed: how many of them are broken."""

    findings: tuple[Finding, ...]

    @property
    def failed(self) -> int:
        """The number of findings that are broken; `spiritlm doctor` exits with status 1 if it is not 0."""
        return sum(finding.status == "broken" for finding in self.findings)


def run(options: DoctorOptions) -> Diagnosis:
    """Check everything, and print the report, or with `json` an object, to stdout."""
    found: list[Finding] = []

    def record() -> Iterator[Finding]:
        for finding in examine(options.model):
            found.append(finding)
            yield finding

    with naming("stdout"):
        if options.json:
            diagnosis = Diagnosis(tuple(record()))
            content = {
                "works": not diagnosis.failed,
                "findings": [one.to_json() for one in diagnosis.findings],
            }
            print(json.dumps(content))  # ASCII: values of the environment may not be UTF-8
        else:
            for line in render_lines(record(), min(shutil.get_terminal_size().columns, _MAX_WIDTH)):
                print(line, flush=True)
            print(f"\n{summary(found)}")
        sys.stdout.flush()
    return Diagnosis(tuple(found))


def examine(model: str = "nano") -> Iterator[Finding]:
    """Yield the finding of each check, as soon as it is known. model: the checkpoint of the self-test."""
    yield from _guarded("Installation", check_installation)
    yield from _guarded("Machine", check_machine)
    yield from _guarded("Environment", lambda: check_environment(os.environ))
    yield from _guarded("Packages", _check_packages)
    with IsolatedProcess() as process:
        yield from _called("Models", "models", process.call(f"{_CHECKS}.places:check_models", model))
        yield from _called("Models", "room", process.call(f"{_CHECKS}.places:check_room"))
        result = process.call(f"{_CHECKS}.devices:check_devices")
        devices = [str(one.values["device"]) for one in result.findings if one.values.get("device")]
        yield from _called("Devices", "torch", result)
        yield from _self_test(process, model, devices)


def _check_packages() -> Iterator[Finding]:
    try:
        requirements = read_requirements()
    except metadata.PackageNotFoundError:
        return  # as `check_installation` says
    with IsolatedProcess() as process:

        def import_module(name: str) -> CallResult:
            return process.call(f"{_CHECKS}.imports:import_package", name)

        yield from check_dependencies(requirements, import_module)
        yield from check_extras(requirements, import_module)


def _self_test(process: IsolatedProcess, model: str, devices: Sequence[str]) -> Iterator[Finding]:
    """Try each step of the pipe on each device."""
    if not devices:
        remedy = "fix what is broken above"
        yield Finding("Self-test", "pipe", "broken", "not run, as there is no device to run it on", remedy)
        return
    missing = process.call(f"{_CHECKS}.places:check_name", model)
    if missing.findings:
        yield from missing.findings
        return
    for device in devices:
        for step, function in _TESTS.items():
            yield from _called("Self-test", f"{step} on {device}", process.call(function, model, device))


def _called(section: Section, name: str, result: CallResult) -> Iterator[Finding]:
    """The findings of a call, or that it failed."""
    yield from result.findings
    if result.error is not None:
        remedy = "fix what is broken above; if nothing is, --verbose shows what was printed"
        if section == "Self-test" and not name.endswith(" cpu"):
            remedy = "update torch and the driver of the GPU, or use --device cpu"
        yield Finding(section, name, "broken", result.error, remedy)


def _guarded(section: Section, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check, and that it failed if it did."""
    try:
        yield from check()
    # Whatever is broken here must not keep the other checks from being made.
    except Exception as error:
        yield Finding(section, "check", "warning", f"failed: {reason(error)}", _UNEXPECTED)
