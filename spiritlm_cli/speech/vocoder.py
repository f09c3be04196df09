"""Units to sound."""

from spiritlm_cli.speech.hifigan import HifiGan, HifiGanConfig

__all__ = ["HifiGan", "HifiGanConfig"]
