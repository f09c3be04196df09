"""Units to waveform: HiFi-GAN with a duration predictor."""
