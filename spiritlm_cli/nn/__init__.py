"""Neural network building blocks that speech, vocoder and language share."""
