"""The one place where torchfcpe is imported, with what its import needs.

It imports torchaudio's Resample, and uses it for other rates than 16 kHz only, which is never asked of it here.
"""

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from spiritlm_cli.torchaudio_guard import torchaudio_resample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


def load_fcpe(device: str) -> "nn.Module":
    """The network in torchfcpe: called with (batch, samples, 1) and 16000, the rate, it gives F0 in Hz."""
    with torchaudio_resample(), _light_import(), contextlib.redirect_stdout(io.StringIO()):
        import torchfcpe
        from torchfcpe import mel_extractor, models_infer, tools
    for module in (mel_extractor, models_infer, tools):
        # They print what they are doing and what they think of the samples, to stdout, which is data only.
        module.print = _silent
    network: nn.Module = torchfcpe.spawn_bundled_infer_model(device)
    return network


@contextlib.contextmanager
def _light_import() -> "Iterator[None]":
    """While torchfcpe is being imported: let it find no librosa, unless that is imported already.

    It is slow to import, and of it torchfcpe wants mel filters, of which it has a copy. The import also sets an
    environment variable, which would make torch's caches of CPU convolutions small: it is put back.
    """
    hidden = "librosa.filters" not in sys.modules
    environment = os.environ.get("LRU_CACHE_CAPACITY")
    if hidden:
        sys.modules["librosa.filters"] = None  # type: ignore[assignment]  # to the import system: missing
    try:
        yield
    finally:
        if hidden:
            sys.modules.pop("librosa.filters", None)
        if environment is None:
            os.environ.pop("LRU_CACHE_CAPACITY", None)
        else:
            os.environ["LRU_CACHE_CAPACITY"] = environment


def _silent(*_: object, **__: object) -> None:
    pass
