"""The one place where torchfcpe is imported, with what its import needs."""

import contextlib
import io
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


def load_fcpe(device: str) -> "nn.Module":
    """The network in torchfcpe: called with (batch, samples, 1) and 16000, the rate, it gives F0 in Hz."""
    with _stand_ins(), contextlib.redirect_stdout(io.StringIO()):
        import torchfcpe
        from torchfcpe import mel_extractor, models_infer, tools
    for module in (mel_extractor, models_infer, tools):
        # They print what they are doing and what they think of the samples, to stdout, which is data only.
        module.print = _silent
    network: nn.Module = torchfcpe.spawn_bundled_infer_model(device)
    return network


@contextlib.contextmanager
def _stand_ins() -> "Iterator[None]":
    """While torchfcpe is being imported: let it find `torchaudio.transforms.Resample` and no librosa.

    It resamples other rates than 16 kHz with the first, which is never asked of it, and torchaudio does not
    import beside every torch. Of librosa, slow to import, it wants mel filters, and has a copy. What is
    imported already stays in its place. The import also sets an environment variable, which would make
    torch's caches of CPU convolutions small: it is put back.
    """
    torchaudio, transforms = ModuleType("torchaudio"), ModuleType("torchaudio.transforms")
    transforms.Resample = None  # type: ignore[attr-defined]
    stand_ins: dict[str, Any] = {"librosa.filters": None}
    if "torchaudio.transforms" not in sys.modules:
        stand_ins |= {"torchaudio": torchaudio, "torchaudio.transforms": transforms}
    before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    environment = os.environ.get("LRU_CACHE_CAPACITY")
    sys.modules.update({name: module for name, module in stand_ins.items() if name not in before})
    try:
        yield
    finally:
        for name in stand_ins:
            if name not in before:
                sys.modules.pop(name, None)
        if environment is None:
            os.environ.pop("LRU_CACHE_CAPACITY", None)
        else:
            os.environ["LRU_CACHE_CAPACITY"] = environment


def _silent(*_: object, **__: object) -> None:
    pass
