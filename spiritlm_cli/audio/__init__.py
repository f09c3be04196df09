"""Audio files: reading, probing, resampling, encoding, writing. No models."""
