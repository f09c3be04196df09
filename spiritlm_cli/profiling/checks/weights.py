"""Whether the files of weights in a folder are whole, judged by their structure; no tensor is read."""

import json
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".safetensors", ".pt", ".bin")
# A safetensors header is smaller.
_MAX_HEADER = 100_000_000
_END_OF_ZIP = b"PK\x05\x06"


def damaged_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of weights below a folder that is not whole, and what is wrong with it."""
    for path in sorted(folder.rglob("*")):
        fault = None
        try:
            if path.name.endswith(".index.json"):
                fault = _missing_shards(path)
            elif path.suffix in _SUFFIXES:
                fault = find_fault(path)
        except OSError as error:
            fault = error.strerror or type(error).__name__
        if fault:
            yield path, fault


def weights_size(folder: Path) -> int:
    """The bytes of all files of weights below a folder."""
    return sum(
        path.stat().st_size for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file()
    )


def find_fault(path: Path) -> str | None:
    """Return what is wrong with a file of weights, or None. Raises OSError."""
    if not path.is_file():
        return "is missing: a link without its target" if path.is_symlink() else None
    length = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(max(0, length - (1 << 16)))
        end = file.read()
    if length == 0:
        return "is empty"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself; `git lfs pull` fetches it"
    if path.suffix == ".safetensors":
        return _safetensors_fault(path, length)
    # `torch.save` writes a ZIP file; before PyTorch 1.6 it wrote pickles, whose end is not known.
    if start.startswith(b"PK") and not _has_zip_end(end):
        return f"is cut off after {length:,} bytes"
    return None


def _has_zip_end(end: bytes) -> bool:
    """Whether the end of a file is that of a ZIP file: a record of 22 bytes, which ends in the length of a comment."""
    start = end.rfind(_END_OF_ZIP)
    return start >= 0 and len(end) - start == 22 + int.from_bytes(end[start + 20 : start + 22], "little")


def _safetensors_fault(path: Path, length: int) -> str | None:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if length < 8 or size > min(length - 8, _MAX_HEADER):
            return f"is cut off after {length:,} bytes, or not a safetensors file"
        try:
            header = json.loads(file.read(size))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            end = 8 + size + max(ends, default=0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return "is not a safetensors file: its header can't be read"
    return None if end == length else f"has {length:,} bytes, and its header says {end:,}"


def _missing_shards(path: Path) -> str | None:
    try:
        shards = set(json.loads(path.read_bytes())["weight_map"].values())
        missing = sorted(str(name) for name in shards if not (path.parent / Path(name).name).is_file())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "can't be read as an index of weights"
    return f"lists files that are missing: {', '.join(missing)}" if missing else None
