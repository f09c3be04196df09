"""The token text format: units, sequences of spans, and readers and writers of token lines. Needs no torch."""
