"""Reading the k-means that scikit-learn and joblib pickled, without running code in it.

The unpickler knows scikit-learn's k-means classes, numpy arrays and joblib's array wrapper by name. It makes none of
their objects: each name stands for a record that keeps the values it is built from. It refuses all other names.
"""

import io
import math
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.checkpoints.pickles import read_checked
from spiritlm_cli.errors import CheckpointError

# First bytes of the compressed files that joblib writes: zlib (also at its default level) and gzip; and those that are
# not read: bzip2, xz, lzma, lz4, and its old format.
_DEFLATED = (b"x", b"\x1f\x8b")
_OTHER_COMPRESSED = (b"BZ", b"\xfd7zXZ", b"]\x00", b"\x04\x22M\x18", b"ZF")
# Bytes of a compressed file when it is expanded: 2,000 centers of 1,024 numbers, and 50 million labels.
_MAX_EXPANDED = 1 << 28
# What a file of k-means has no use for: instances and calls by other ways, and values that take memory without content.
_REFUSED_OPCODES = (
    *(pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4),
    *(pickle.PERSID, pickle.BINPERSID, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)


def read_kmeans(path: Path) -> Tensor:
    """Read the centers of a pickled `KMeans` or `MiniBatchKMeans`. Returns (units, dim), of the dtype in the file.

    Raises CheckpointError for anything else, for names that are not of k-means or of numpy arrays, for a compression
    other than zlib and gzip, and for a compressed file that expands to more than 268 MB. No code of the file is run.
    """
    return read_checked(path, _read)


def _read(path: Path) -> Tensor:
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        if start.startswith(_OTHER_COMPRESSED):
            raise CheckpointError(
                f"{path}: is compressed by another method than zlib and gzip; write it with joblib.dump(…, compress=0)"
            )
        if start.startswith(_DEFLATED):
            content = _expand(path, file.read(_MAX_EXPANDED))
            bounded = _BoundedFile(io.BytesIO(content), len(content))
        else:
            bounded = _BoundedFile(file, path.stat().st_size)
        kmeans = _Unpickler(bounded, path).load()
    state = kmeans.state if isinstance(kmeans, _KMeans) else None
    centers = state.get("cluster_centers_") if isinstance(state, dict) else None
    if not isinstance(centers, _Array | _WrappedArray) or centers.values is None:
        raise CheckpointError(f"{path}: no k-means of scikit-learn with cluster_centers_")
    return torch.from_numpy(centers.values)


def _expand(path: Path, compressed: bytes) -> bytes:
    """Expand bytes of zlib or gzip. Raises CheckpointError if they are cut off, or expand to too much."""
    decompressor = zlib.decompressobj(wbits=47)  # finds out by the header which of the two it is
    content = decompressor.decompress(compressed, _MAX_EXPANDED)
    if decompressor.unconsumed_tail:
        raise CheckpointError(
            f"{path}: expands to more than {_MAX_EXPANDED / 1e6:.0f} MB, too much for a k-means"
        )
    if not decompressor.eof:
        raise EOFError("it ends within compressed data")
    return content


class _BoundedFile:
    """A file from which no more can be asked for than it has: the unpickler allocates what a length says."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, count: int) -> bytes:
        """Raises EOFError if there are fewer bytes."""
        if not 0 <= count <= self._size - self._file.tell():
            raise EOFError("it ends within a value")
        return self._file.read(count)

    def readline(self) -> bytes:
        return self._file.readline()


class _Record:
    """Stands for an object of the pickle. state: what it was built from."""

    state: Any = None

    def build(self, state: Any, file: _BoundedFile) -> None:
        """Set the state. file: stands after it."""
        self.state = state


class _KMeans(_Record):
    """A k-means."""


class _Ignored(_Record):
    """A value of the k-means that units don't depend on, such as a state of random numbers."""

    def __init__(self, *values: Any) -> None:
        pass


class _DType(_Record):
    """A numpy dtype of floating-point numbers or of anything else. code: such as `f4`."""

    def __init__(self, code: Any = None, *flags: Any) -> None:
        self.code = code

    @property
    def order(self) -> str:
        """Byte order: `<` or `>`."""
        state = self.state
        return ">" if isinstance(state, tuple) and len(state) > 1 and state[1] == ">" else "<"

    @property
    def itemsize(self) -> int:
        """Bytes of one number. Raises ValueError for a dtype other than numbers."""
        code = self.code
        if not (isinstance(code, str) and len(code) == 2 and code[0] in "fiub" and code[1] in "1248"):
            raise ValueError(f"an array of {code!r}, not of numbers")
        return int(code[1])

    def parse(self, content: bytes, shape: tuple[int, ...], fortran: Any) -> NDArray[Any] | None:
        """Return the array with these bytes, in native byte order; None for anything but floating-point numbers."""
        if self.itemsize == 1 or str(self.code)[0] != "f":
            return None
        values = np.frombuffer(content, f"{self.order}{self.code}")
        values = values.reshape(shape[::-1]).T if fortran else values.reshape(shape)
        return np.array(values, f"={self.code}", order="C")


class _Array(_Record):
    """An array that numpy pickled."""

    values: NDArray[Any] | None = None

    def __init__(self, *values: Any) -> None:
        pass

    def build(self, state: Any, file: _BoundedFile) -> None:
        _, shape, dtype, fortran, content = state
        if isinstance(dtype, _DType) and isinstance(content, bytes):
            self.values = dtype.parse(content, _check_shape(shape), fortran)


class _WrappedArray(_Record):
    """An array that joblib wrote: its bytes follow in the file."""

    values: NDArray[Any] | None = None

    def build(self, state: Any, file: _BoundedFile) -> None:
        dtype, shape = state["dtype"], _check_shape(state["shape"])
        if not isinstance(dtype, _DType):
            raise ValueError("an array without a dtype")
        if state.get("numpy_array_alignment_bytes") is not None:
            file.read(file.read(1)[0])
        content = file.read(math.prod(shape) * dtype.itemsize)
        self.values = dtype.parse(content, shape, state["order"] == "F")


def _check_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("an array whose shape is not numbers")
    return shape


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
# From module and name to what stands for it.
_KNOWN: dict[tuple[str, str], type[_Record]] = {
    **{
        (module, name): _KMeans
        for module in ("sklearn.cluster._kmeans", "sklearn.cluster.k_means_")
        for name in ("KMeans", "MiniBatchKMeans")
    },
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _WrappedArray,
    ("numpy", "ndarray"): _Ignored,
    ("numpy", "dtype"): _DType,
    **{(module, "_reconstruct"): _Array for module in _NUMPY},
    **{(module, "scalar"): _Ignored for module in _NUMPY},
    ("numpy.random._pickle", "__randomstate_ctor"): _Ignored,
    ("numpy.random._pickle", "__bit_generator_ctor"): _Ignored,
    ("numpy.random._mt19937", "MT19937"): _Ignored,
}


class _Unpickler(pickle._Unpickler):  # the one in C can't read arrays that joblib wrote between the objects
    """Reads records; see the module."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, file: _BoundedFile, path: Path) -> None:
        super().__init__(file)
        self._bounded, self._path = file, path

    def find_class(self, module: str, name: str) -> type[_Record]:
        """Return what stands for a name. Raises CheckpointError for one that is not known."""
        known = _KNOWN.get((module, name))
        if known is None:
            raise CheckpointError(
                f"{self._path}: it holds {module}.{name}; only scikit-learn's k-means and numpy arrays are read, "
                "never code"
            )
        return known

    def _build(self) -> None:
        state = self.stack.pop()
        record = self.stack[-1]
        if not isinstance(record, _Record):
            raise pickle.UnpicklingError("a state without an object")
        record.build(state, self._bounded)

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("an operation that k-means has no use for")

    dispatch[pickle.BUILD[0]] = _build
    dispatch |= dict.fromkeys((opcode[0] for opcode in _REFUSED_OPCODES), _refuse)
