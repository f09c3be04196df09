"""Inputs and outputs of a command: no output may be an input, or another output."""

import dataclasses
import io
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import flag_of, spec_of
from spiritlm_cli.streams import is_stdout

# What makes two paths the same file: its device and number, or of a file that does not exist, where it would be.
FileKey = tuple[int, int] | tuple[str]


def check_paths(options: Any) -> None:
    """Raise OptionError for an output that is also an input or another output: one of the two would be lost.

    Files are compared as files, through links and /dev/stdin. Devices and pipes can be named more than once. A text
    output with the suffix of an audio file is refused too: it would replace a recording, even one in a list.
    """
    used: dict[FileKey, str] = {}
    folders: list[tuple[str, Path]] = []
    for flag, path in _paths(options, "input"):
        if Path(path).is_dir():
            folders.append((flag, Path(path)))
        elif (key := file_key(path)) and len(key) == 2:
            used[key] = f"the input {flag}"
    if key := _standard_key(sys.stdin):
        used[key] = "the standard input"
    outputs = list(_paths(options, "text", "sound"))
    if not any(flag == "--output" and not is_stdout(path) for flag, path in outputs):
        outputs = [("--output", "-"), *(output for output in outputs if output[0] != "--output")]
    for flag, path in outputs:
        for key in _keys_of_output(path):
            if key in used:
                raise OptionError(f"{path} is also {used[key]}: write to another file", flag)
            used[key] = flag
    _check_suffixes(options, folders)


def input_keys(options: Any) -> frozenset[FileKey]:
    """The files that options name as inputs."""
    return frozenset(key for _, path in _paths(options, "input") if (key := file_key(path)) and len(key) == 2)


def output_keys(options: Any) -> frozenset[FileKey]:
    """The files that are there already and will be replaced."""
    keys = (file_key(path) for _, path in _paths(options, "text", "sound") if not is_stdout(path))
    return frozenset(key for key in keys if key and len(key) == 2)


def file_key(path: str | Path) -> FileKey | None:
    """What identifies a file; None for a folder, a device, a pipe, and a path that can't be looked up."""
    try:
        return _key_of(Path(path).stat())
    except FileNotFoundError:
        return (os.path.realpath(path),)
    except (OSError, ValueError):
        return None


def _paths(options: Any, *kinds: str) -> Iterator[tuple[str, str]]:
    """The paths that options name, each with its option. kinds: "input", or those of `OptionSpec.writes`."""
    for field in dataclasses.fields(options):
        spec, value = spec_of(field), getattr(options, field.name)
        kind = spec.writes or ("input" if spec.path or spec.reads else None)
        if kind in kinds and value is not None:
            for path in value if isinstance(value, tuple) else (value,):
                yield flag_of(field), str(path)


def _keys_of_output(path: str) -> list[FileKey]:
    """The files of an output: its own, and those that it has until it is complete."""
    if is_stdout(path):
        key = _standard_key(sys.stdout)
        return [key] if key else []
    whole = os.path.realpath(path)
    keys = [file_key(path), file_key(f"{whole}.part"), file_key(f"{whole}.part.json")]
    return [key for key in keys if key] if keys[0] else []


def _key_of(status: os.stat_result) -> FileKey | None:
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _standard_key(stream: Any) -> FileKey | None:
    try:
        return _key_of(os.fstat(stream.fileno()))
    except (OSError, ValueError, io.UnsupportedOperation):
        return None


def _check_suffixes(options: Any, folders: list[tuple[str, Path]]) -> None:
    from spiritlm_cli.manifests.row import AUDIO_SUFFIXES  # with numpy, which `--help` does without

    for flag, path in _paths(options, "text"):
        suffix = Path(path).suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            raise OptionError(f"{path} is the name of an audio file, and this output is text", flag)
        for folder_flag, folder in folders:
            inside = Path(path).exists() and Path(path).resolve().is_relative_to(folder.resolve())
            if folder_flag == "--alignments" and inside and suffix in (".textgrid", ".json", ".ctm"):
                raise OptionError(f"{path} is a file of the input {folder_flag}: write to another file", flag)
