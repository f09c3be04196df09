"""The text format of speech and text tokens: units, spans, time order, reading and writing. No torch here."""
