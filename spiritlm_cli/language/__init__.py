"""The language model over text and speech units."""
