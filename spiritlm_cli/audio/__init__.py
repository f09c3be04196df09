"""Sound files and manifests in, waveforms out and back."""
