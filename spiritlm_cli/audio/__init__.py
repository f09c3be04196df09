"""Read, probe, resample, encode, and write audio. Loads no models."""
