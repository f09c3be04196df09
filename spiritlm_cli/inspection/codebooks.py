"""How many units the streams of a model have."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.pitch import PitchConfig
from spiritlm_cli.speech.quantizer import load_quantizer
from spiritlm_cli.speech.style import StyleConfig
from spiritlm_cli.tokens.units import Kind

# Number of units of each stream of a model, where it is known.
Codebooks = Mapping[Kind, int]
NO_CODEBOOKS: Codebooks = MappingProxyType({})


def model_codebooks(model: str | Checkpoint | None = "nano") -> Codebooks:
    """Return the number of units of each stream. A stream whose encoder is not in the checkpoint is left out.

    Raises CheckpointError for a model that is not there.
    """
    checkpoint = find_checkpoint(model)
    sizes: dict[Kind, Callable[[], int]] = {
        Kind.HUBERT: lambda: load_quantizer(checkpoint.quantizer).num_units,
        Kind.PITCH: lambda: PitchConfig.read(checkpoint.pitch_config).vq_params.l_bins,
        Kind.STYLE: lambda: len(StyleConfig.read(checkpoint.style.with_name("config.json")).id2label),
    }
    found: dict[Kind, int] = {}
    for kind, size in sizes.items():
        try:
            found[kind] = size()
        except CheckpointError:
            # Lines can be inspected with a checkpoint that lacks the tokenizer.
            continue
    return found
