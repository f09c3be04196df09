"""English text as it is read aloud and compared: numbers, abbreviations, normalization, pronunciation. No torch."""
