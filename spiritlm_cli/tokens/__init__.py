"""The text format: units, sequences, lines. No torch."""
