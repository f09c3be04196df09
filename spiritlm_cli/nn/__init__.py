"""Neural-network building blocks that the speech, vocoder and language rooms share."""
