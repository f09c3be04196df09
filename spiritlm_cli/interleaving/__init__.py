"""Training sequences that switch between speech and text at word boundaries."""
