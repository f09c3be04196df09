"""Waveform to units and back: HuBERT, pitch, style, the tokenizer of the three, and the vocoder."""
