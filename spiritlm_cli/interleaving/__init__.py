"""Words and their times to sequences in which text and speech take turns. torch is in the CTC aligner alone."""
