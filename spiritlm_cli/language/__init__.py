"""The language model: its vocabulary, which tokens may come next, generation and scores."""
