"""The language model: a LLaMA over text and speech units, how it generates, and how it scores."""
