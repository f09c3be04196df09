"""Waveform to units: HuBERT and its quantizer, pitch and style."""
