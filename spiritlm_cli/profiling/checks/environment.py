"""Environment variables that change what the commands do."""

import os
import re
from collections.abc import Iterator, Mapping

from spiritlm_cli.console import one_line
from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.profiling.checks.system import usable_cores

# What each variable changes.
VARIABLES = {
    "SPIRITLM_CHECKPOINTS_DIR": "the checkpoint where --model is not given",
    "SPIRITLM_HOME": "the folder of downloaded models",
    "SPIRITLM_OFFLINE": "if 1, nothing is downloaded",
    "HF_HUB_OFFLINE": "if 1, nothing is downloaded from Hugging Face",
    "HF_HOME": "the folder of the Hugging Face cache",
    "HF_HUB_CACHE": "the folder of the Hugging Face cache",
    "HF_ENDPOINT": "the server that replaces huggingface.co",
    "HF_TOKEN": "the token for gated repositories",
    "CUDA_VISIBLE_DEVICES": "the GPUs that are used; none if it is empty or -1",
    "NVIDIA_TF32_OVERRIDE": "if 1, float32 on a GPU is rounded to 10 bits, and units change",
    "PYTORCH_CUDA_ALLOC_CONF": "how GPU memory is allocated",
    "PYTORCH_ENABLE_MPS_FALLBACK": "if 1, the CPU computes what MPS can't",
    "OMP_NUM_THREADS": "the number of threads on a CPU",
    "MKL_NUM_THREADS": "the number of threads of matrix products on a CPU",
    "OMP_WAIT_POLICY": "whether threads wait actively, which is slow beside other programs",
    "ONEDNN_MAX_CPU_ISA": "the instruction sets that are used",
    "ONEDNN_DEFAULT_FPMATH_MODE": "if BF16, float32 on a CPU is rounded to 8 bits, and units change",
    "PYTHONOPTIMIZE": "assertions are left out; with 2, transformers can't be imported",
    "PYTHONPATH": "folders whose packages come before those that are installed",
    "LD_LIBRARY_PATH": "folders whose libraries come before those that packages bring along",
    "LD_PRELOAD": "libraries that are loaded first",
    "TMPDIR": "the folder of temporary files",
    "RAY_ADDRESS": "the Ray cluster of the shell",
}
_SECRET = ("HF_TOKEN",)
# The user name and the password in a URL.
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")


def check_environment(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check the variables that are set, of those in `VARIABLES`."""
    found = False
    for name, effect in VARIABLES.items():
        if name not in variables:
            continue
        found = True
        value = _CREDENTIALS.sub("(hidden)@", variables[name])
        shown = "(set)" if name in _SECRET else one_line(value) or "(empty)"
        shown = shown if len(shown) <= 200 else f"{shown[:199]}…"
        remedy = _remedy(name, value)
        yield Finding(
            "Environment",
            name,
            "warning" if remedy else "note",
            f"{shown}: {effect}",
            remedy,
            f"unset {name}" if remedy else "",
            {"value": None if name in _SECRET else value},
        )
    if not found:
        yield Finding("Environment", "variables", "ok", "none is set that changes what the commands do")


def _remedy(name: str, value: str) -> str:
    """What to do about a value that makes results wrong or commands slow; empty if it does not."""
    if name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        cores = usable_cores()
        if value.isdecimal() and int(value) > cores:
            return f"set at most {cores}, the cores that can be used: more threads wait for each other; or"
        if not value.replace(",", "").isdecimal():
            return "set a number; or"
    if name == "TMPDIR" and not os.access(value, os.W_OK | os.X_OK):
        return "it can't be written to, so another folder is used; set one that can, or"
    if (name, value) == ("NVIDIA_TF32_OVERRIDE", "1"):
        return "units are exact without it:"
    if name == "ONEDNN_DEFAULT_FPMATH_MODE" and value.upper() not in ("", "STRICT"):
        return "units are exact without it:"
    return ""
