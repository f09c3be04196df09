"""The protocol of forced aligners."""

from typing import Protocol

from spiritlm_cli.manifests.clip import Alignment, Waveform


class Aligner(Protocol):
    """Finds the start and end times of the words of a known text."""

    def align(self, waveform: Waveform, text: str) -> Alignment:
        """Align a text with its audio.

        Returns one Word for each whitespace-separated token of `text`, in order and with its spelling; times in
        seconds. Raises AlignmentError if the text can't be aligned with the audio.
        """
        ...
