"""The packages that this one requires, and those of its extras: which are missing, of a wrong version, or broken."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import metadata
from urllib.parse import unquote, urlsplit

from spiritlm_cli.profiling.checks.finding import Finding, Section, Status
from spiritlm_cli.profiling.checks.isolated import CallResult
from spiritlm_cli.profiling.checks.requirements import Requirement, normalized, required, satisfies

DISTRIBUTION = "spiritlm"

# What each extra is for.
EXTRAS = {
    "evaluate": "speech recognition and word error rates in `evaluate`",
    "train": "`train`",
    "lora": "`train lm --lora`",
    "dpo": "`train lm --dpo`",
    "lm-eval": "tasks of EleutherAI's harness on the language model",
    "plot": "`inspect --plot`",
    "quantize": "`generate --quantize`",
    "vllm": "`generate --engine vllm`",
    "ray": "`--ray`, to work on a cluster",
    "measure": "the figures of nano",
    "dev": "the tests and the linters",
}

# What is imported of a distribution, where it is not its name in small letters; None: nothing is.
_MODULES = {
    "amfm-decompy": "amfm_decompy.pYAAPT",
    "codespell": None,
    "faiss-cpu": "faiss",
    "import-linter": None,
    "librosa": "librosa.filters",
    "mypy": None,
    "pre-commit": None,
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "ray": "ray.data",
    "ruff": None,
    "scikit-learn": "sklearn",
    "torchao": "torchao.quantization",
    "torchfcpe": None,  # only its weights are used
    "transformers": "transformers.models.llama.modeling_llama",
    "types-pyyaml": None,
}

# Imports a module, as `imports.import_package` does, in another process.
Import = Callable[[str], CallResult]


def read_requirements() -> list[Requirement]:
    """What the installed package says that it requires. Raises PackageNotFoundError if it is not installed."""
    return [Requirement.parse(text) for text in metadata.requires(DISTRIBUTION) or ()]


def reinstall_command() -> str:
    """The command that installs this package again: from the folder that pip installed it from, if that is known."""
    source = DISTRIBUTION
    # pip records the folder (PEP 610). A damaged distribution has no record, or one that can't be read.
    with suppress(Exception):
        record = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        url = urlsplit(json.loads(record or "{}")["url"])
        source = unquote(url.path) if url.scheme == "file" else source
    return f"pip install --force-reinstall --no-deps {shlex.quote(source)}"


def check_dependencies(requirements: list[Requirement], import_module: Import) -> Iterator[Finding]:
    """Check the packages without which this one does not work, by their versions and by importing them."""
    for requirement in required(requirements, None, DISTRIBUTION):
        yield _check(requirement, import_module)


def check_extras(requirements: list[Requirement], import_module: Import) -> Iterator[Finding]:
    """Check each extra: it is complete, or it lacks packages, which is no fault."""
    found = {one.extra for one in requirements} - {None}
    dependencies = {normalized(one.name) for one in required(requirements, None, DISTRIBUTION)}
    checks: dict[str, Finding] = {}
    for extra in [name for name in EXTRAS if name in found] + sorted(found - EXTRAS.keys(), key=str):
        needs = required(requirements, extra, DISTRIBUTION)
        missing = [str(one) for one in needs if _version(one.name) is None]
        purpose = f" ({EXTRAS[extra]})" if extra in EXTRAS else ""
        command = f"pip install {shlex.quote(f'{DISTRIBUTION}[{extra}]')}"
        note = partial(Finding, "Extras", str(extra), values={"missing": ", ".join(missing) or None})
        if missing:
            yield note("note", f"lacks {', '.join(missing)}{purpose}", command=command)
            continue
        for one in needs:
            if one.name not in checks and normalized(one.name) not in dependencies:
                checks[one.name] = _check(one, import_module, "Extras")
        faults = [checks[one.name] for one in needs if one.name in checks and checks[one.name].status != "ok"]
        if not faults:
            yield note("ok", f"complete{purpose}")
        for fault in faults:
            text = f"{fault.name} {fault.text}{purpose}"
            yield note("warning", text, remedy=fault.remedy, command=fault.command)


def _check(requirement: Requirement, import_module: Import, section: Section = "Packages") -> Finding:
    name, version = normalized(requirement.name), _version(requirement.name)
    wanted = shlex.quote(str(requirement))
    new = partial(Finding, section, requirement.name, values={"version": version})
    # The package does without torchaudio.
    fault: Status = "warning" if name == "torchaudio" else "broken"
    if version is None:
        return new(fault, "is not installed", command=f"pip install {wanted}")
    module = _MODULES.get(name, name.replace("-", "_"))
    error = import_module(module).error if module else None
    if error is not None:
        # If what it lacks is another package, that is installed with it.
        alone = "" if error.startswith("ModuleNotFoundError") else "--no-deps "
        return new(
            fault,
            f"{version} can't be imported: {error}",
            _REMEDIES.get(name, "install it again"),
            # which build of torchaudio fits depends on torch's, and pip does not choose by it
            "" if name == "torchaudio" else f"pip install --force-reinstall {alone}{wanted}",
        )
    needs = f" (needs {requirement.specifier})" if requirement.specifier else ""
    try:
        fits = satisfies(version, requirement.specifier)
    except ValueError:
        return new("note", f"{version}, which can't be compared{needs}")
    if not fits:
        return new(
            "warning", f"{version} is not a version that was tested{needs}", command=f"pip install {wanted}"
        )
    return new("ok", f"{version}{needs}")


_REMEDIES = {
    "torch": "install it again, by the command that https://pytorch.org/get-started gives for this machine, or",
    "torchaudio": "it can stay as it is: CTC alignment works without it, by slower code. For the faster one, install a "
    "torchaudio that was built for the same device as torch, by the command that https://pytorch.org/get-started gives",
}


def _version(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        version: str | None = metadata.version(name)
    # Files of a damaged distribution may be missing or unreadable.
    except Exception:
        return None
    return version
