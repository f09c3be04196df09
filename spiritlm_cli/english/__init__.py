"""English as it is said and compared: numbers, abbreviations, normalization, pronunciation. No torch."""
