"""Where weights come from: the release's layout, in its own formats or as safetensors; and the embedded nano."""

from spiritlm_cli.checkpoints.layout import Checkpoint, find_checkpoint

__all__ = ["Checkpoint", "find_checkpoint"]
