"""Words and their times to sequences that switch between speech and text."""
