"""Where weights come from: folders in the release's layout and in those of open models, and the embedded nano."""

from spiritlm_cli.checkpoints.checkpoint import Checkpoint
from spiritlm_cli.checkpoints.layout import combine_parts, find_checkpoint

__all__ = ["Checkpoint", "combine_parts", "find_checkpoint"]
