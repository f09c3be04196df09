"""Pickled k-means: what scikit-learn, numpy and joblib write is read, and code is never run."""

import bz2
import gzip
import io
import os
import pickle
import sys
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_models import KMEANS

from spiritlm_cli.checkpoints import kmeans_pickles
from spiritlm_cli.checkpoints.kmeans_pickles import read_kmeans
from spiritlm_cli.errors import CheckpointError

CENTERS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def estimator(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes objects that pickle as scikit-learn's k-means do, whose import takes seconds."""
    module = types.ModuleType("sklearn.cluster._kmeans")
    kmeans = type("KMeans", (), {"__module__": module.__name__})
    module.KMeans = kmeans  # type: ignore[attr-defined]
    for name in ("sklearn", "sklearn.cluster", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)

    def make(**state: Any) -> Any:
        made = kmeans()
        made.__dict__.update(state)
        return made

    return make


class RunsCode:
    """Pickled, it makes a file when it is read by an ordinary unpickler."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_read_kmeans_of_joblib(data: Path) -> None:
    centers = read_kmeans(data / KMEANS)
    assert (centers.shape, centers.dtype) == ((500, 32), torch.float32)
    # The bytes of the array, which joblib wrote as they are, occur in the file.
    assert centers.numpy().tobytes() in (data / KMEANS).read_bytes()


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("centers", [CENTERS, np.asfortranarray(CENTERS), CENTERS.astype(">f8")])
def test_read_kmeans_of_numpy(
    tmp_path: Path, estimator: Callable[..., Any], protocol: int, centers: np.ndarray
) -> None:
    path = tmp_path / "L1_km4.bin"
    # Values that units don't depend on, of the types that scikit-learn has had.
    others = {
        "random_state_": np.random.RandomState(0),
        "inertia_": np.float64(1.5),
        "labels_": np.arange(3, dtype=np.int32),
        "n_init": 3,
    }
    path.write_bytes(pickle.dumps(estimator(cluster_centers_=centers, **others), protocol))
    read = read_kmeans(path)
    assert read.dtype == (torch.float64 if centers.dtype.itemsize == 8 else torch.float32)
    assert read.tolist() == CENTERS.tolist()


def test_read_kmeans_runs_no_code(tmp_path: Path, estimator: Callable[..., Any]) -> None:
    path, marker = tmp_path / "L1_km4.bin", tmp_path / "marker"
    for protocol in range(6):
        for content in (
            RunsCode(marker),
            estimator(cluster_centers_=RunsCode(marker)),
            estimator(cluster_centers_=CENTERS, extra=[RunsCode(marker)]),
        ):
            path.write_bytes(pickle.dumps(content, protocol))
            with pytest.raises(CheckpointError, match=r"it holds|copyreg|cut off"):
                read_kmeans(path)
    assert not marker.exists()
    # What pickle would call: the code would have made the file.
    function, arguments = RunsCode(marker).__reduce__()
    function(*arguments)
    assert marker.exists()


@pytest.mark.parametrize(
    "name",
    ["builtins eval", "numpy load", "numpy.core.multiarray fromfile", "sklearn.cluster._kmeans __class__"],
)
def test_read_kmeans_knows_few_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "L1_km4.bin"
    path.write_bytes(f"c{name.replace(' ', chr(10))}\n(Vx\ntR.".encode())
    with pytest.raises(
        CheckpointError, match=f"it holds {name.replace(' ', '.')}; only scikit-learn's k-means"
    ):
        read_kmeans(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04",
        b"ios\nmkdir\n.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",  # a bytearray of 1 TB
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",  # bytes of 1 TB
        b"\x80\x04]}b.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_read_kmeans_refuses_other_operations(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "L1_km4.bin"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cut off or not a checkpoint"):
        read_kmeans(path)


def test_read_kmeans_refuses_arrays_that_the_file_does_not_have(tmp_path: Path, data: Path) -> None:
    whole = (data / KMEANS).read_bytes()
    path = tmp_path / "L1_km4.bin"
    for content in (
        whole[:5000],
        whole.replace(b"M\xf4\x01K \x86", b"J\xff\xff\xff\x7fK \x86"),
        whole[:-900],
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="cut off or not a checkpoint"):
            read_kmeans(path)


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress])
def test_read_kmeans_that_is_compressed(
    tmp_path: Path, data: Path, estimator: Callable[..., Any], compress: Callable[[bytes], bytes]
) -> None:
    """As joblib.dump(…, compress=3) and compress="gzip" write it."""
    path, whole = tmp_path / "L11_km500.bin", (data / KMEANS).read_bytes()
    path.write_bytes(compress(whole))
    assert torch.equal(read_kmeans(path), read_kmeans(data / KMEANS))
    path.write_bytes(compress(whole)[:-1000])
    with pytest.raises(CheckpointError, match="cut off or not a checkpoint"):
        read_kmeans(path)
    marker = tmp_path / "marker"
    path.write_bytes(compress(pickle.dumps(estimator(cluster_centers_=RunsCode(marker)))))
    with pytest.raises(CheckpointError, match="it holds"):
        read_kmeans(path)
    assert not marker.exists()


def test_read_kmeans_refuses_what_expands_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kmeans_pickles, "_MAX_EXPANDED", 1 << 20)
    path = tmp_path / "L11_km500.bin"
    path.write_bytes(zlib.compress(bytes((1 << 20) + 1)))
    with pytest.raises(CheckpointError, match="expands to more than 1 MB"):
        read_kmeans(path)


@pytest.mark.parametrize("kind", ["KMeans", "MiniBatchKMeans"])
def test_read_kmeans_of_scikit_learn(tmp_path: Path, kind: str) -> None:
    """With the version that is installed, whatever its attributes are, in each form that joblib writes."""
    cluster, joblib = pytest.importorskip("sklearn.cluster"), pytest.importorskip("joblib")
    points = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    random = np.random.RandomState(0)
    model = getattr(cluster, kind)(4, n_init=1, init=points[:4], random_state=random).fit(points)
    for compress in (0, 3, ("gzip", 3)):
        joblib.dump(model, tmp_path / "L11_km4.bin", compress=compress)
        assert np.array_equal(read_kmeans(tmp_path / "L11_km4.bin").numpy(), model.cluster_centers_)


@pytest.mark.parametrize("first", [b"\x00", b"G", b"a"])
def test_read_kmeans_that_is_damaged(tmp_path: Path, data: Path, first: bytes) -> None:
    path = tmp_path / "km.bin"
    path.write_bytes(first + (data / KMEANS).read_bytes()[1:])
    with pytest.raises(CheckpointError, match=r"km.bin: cut off or not a checkpoint \([a-z][a-z ]+\)$"):
        read_kmeans(path)


def test_read_kmeans_names_what_is_wrong(tmp_path: Path, estimator: Callable[..., Any], data: Path) -> None:
    path = tmp_path / "L1_km4.bin"
    path.write_bytes(bz2.compress((data / KMEANS).read_bytes()))
    with pytest.raises(CheckpointError, match="is compressed by another method than zlib and gzip"):
        read_kmeans(path)
    for content in (estimator(n_init=1), [1], estimator(cluster_centers_=CENTERS.astype(np.int64))):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(CheckpointError, match="no k-means of scikit-learn with cluster_centers_"):
            read_kmeans(path)
    with pytest.raises(CheckpointError, match=r"no such file|missing"):
        read_kmeans(tmp_path / "none.bin")
    buffer = io.BytesIO()
    torch.save({"cluster_centers": torch.ones(2, 2)}, buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="cut off or not a checkpoint"):
        read_kmeans(path)
