"""Where models run."""

import torch

from spiritlm_cli.errors import SpiritLMError


def find_device(name: str = "auto") -> torch.device:
    """The device called "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1" or "mps".

    Raises SpiritLMError where it can't be used.
    """
    if name == "auto":
        gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(gpu)
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        # An AssertionError is how torch says that it was built without CUDA.
        raise SpiritLMError(f"device {name} can't be used: {str(error).splitlines()[0]}") from error
