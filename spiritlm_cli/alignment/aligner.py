"""Engines that find when each word of a known text is said."""

from typing import Protocol

from spiritlm_cli.manifests.clip import Alignment, Waveform


class Aligner(Protocol):
    """What every engine does."""

    def align(self, waveform: Waveform, text: str) -> Alignment:
        """One Word for each whitespace-separated token of `text`, in order, spelt as there; times in seconds.

        Raises AlignmentError where the text can't be placed in the sound.
        """
        ...
