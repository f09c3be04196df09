"""Tables of the rotary position embedding of LLaMA."""

import torch
from torch import Tensor

from spiritlm_cli.language.loading import LlamaConfig


def rope_tables(
    config: LlamaConfig, count: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary position embedding (Su et al. 2021) for the first `count` positions.

    They are computed in float32. Returns two tensors (positions, 1, head_dim) of `dtype`, with no more positions than
    the context has; the sines of the first half of a head are negative, as the rotation needs them.
    """
    dim = config.dim_of_head
    if config.rope_scaling:
        # imports transformers, which takes seconds
        from spiritlm_cli.language.transformers_llama import scaled_rope

        frequencies, scale = scaled_rope(config)
    else:
        frequencies = 1.0 / (config.rope_theta ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
        scale = 1.0
    positions = torch.arange(min(count, config.max_position_embeddings), device=device)
    angles = positions[:, None].float() * frequencies.to(device)
    angles = torch.cat((angles, angles), dim=-1)[:, None]
    cos, sin = (angles.cos() * scale).to(dtype), (angles.sin() * scale).to(dtype)
    sin[..., : dim // 2] *= -1
    return cos, sin
