"""Where weights come from: folders in the release's layout, with pickles or safetensors, and the embedded nano."""

from spiritlm_cli.checkpoints.layout import Checkpoint, find_checkpoint

__all__ = ["Checkpoint", "find_checkpoint"]
