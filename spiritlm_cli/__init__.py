"""Spirit LM: speech and text as one stream of plain-text tokens."""

__version__ = "0.1.0"
