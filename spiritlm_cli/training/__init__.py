"""Training of each part of a checkpoint."""
