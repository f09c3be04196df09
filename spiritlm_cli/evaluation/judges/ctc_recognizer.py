"""Speech recognition by a CTC model of the wav2vec 2.0 family, greedily and without a language model."""

from pathlib import Path

import numpy as np

from spiritlm_cli.alignment.ctc_model import CtcModel
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.evaluation.judges.folders import find_folder
from spiritlm_cli.manifests.clip import Waveform


class CtcRecognizer:
    """Transcribes speech deterministically: the most probable label of each frame, runs merged, blanks dropped.

    This is the Viterbi decoding of fairseq's evaluations with wav2vec 2.0. name: the folder as it was given.
    """

    def __init__(self, model: CtcModel, name: str) -> None:
        self._model, self.name = model, name
        vocabulary = model.vocabulary
        self._symbols = {label: symbol.lower() for symbol, label in vocabulary.letters.items()}
        if vocabulary.delimiter is not None:
            self._symbols[vocabulary.delimiter] = " "

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "CtcRecognizer":
        """Load the Hugging Face folder of an `AutoModelForCTC`. No code in it is run.

        Raises CheckpointError, and SpiritLMError if the device can't be used.
        """
        path = find_folder(folder, "CTC model")
        return cls(CtcModel.load(path, device), str(folder))

    def transcribe(self, waveform: Waveform) -> str:
        """Return the lower-case transcript of a waveform of any sampling rate and length."""
        try:
            labels = self._model.log_probs(waveform).argmax(axis=1)
        except AlignmentError:  # shorter than a frame
            return ""
        changes = labels[np.diff(labels, prepend=-1) != 0]
        # Labels such as <s> and <unk> stand for no letter.
        text = "".join(self._symbols.get(label, "") for label in changes.tolist())
        return " ".join(text.split())
