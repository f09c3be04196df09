"""Models that judge outputs: speech recognizers, classifiers of text and of speech, and text language models."""
