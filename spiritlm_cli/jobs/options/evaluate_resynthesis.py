"""Options of `spiritlm evaluate resynthesis`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.clip_data import ClipDataOptions
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, normalizer_option
from spiritlm_cli.jobs.options.judges import speech_classifier_option
from spiritlm_cli.jobs.options.parts import TokenizerPart, VocoderPart
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class ResynthesisOptions(ClipDataOptions, TokenizerPart, VocoderPart, EvaluateOptions):
    """Options of `spiritlm evaluate resynthesis`."""

    task: ClassVar[str] = "resynthesis"

    hypotheses: Path | None = option(
        None,
        "Resynthesized clips that there are already, to be measured without a model: a folder of audio files that are "
        "called ID.wav or the like, or a manifest with id and audio.",
        metavar="FILE|FOLDER",
        path=True,
        group="input",
    )
    asr: str = option(
        "base.en",
        "Speech recognizer: a faster-whisper model, by name or folder, or the Hugging Face folder of a CTC model; "
        "none: no error rates, for clips without texts.",
        metavar="NAME|FOLDER|none",
        group="scoring",
    )
    normalizer: NormalizerName = normalizer_option()
    f0: Literal["fcpe", "pyaapt", "none"] = option(
        "fcpe", "F0 (pitch) tracker, of F0 errors. pyaapt: as in the published evaluation.", group="scoring"
    )
    dnsmos: bool = option(
        False, "Estimate the quality with DNSMOS. Extra: quality.", "--dnsmos", group="scoring"
    )
    speaker_similarity: bool = option(
        False,
        "Compare speakers with the package resemblyzer.",
        "--speaker-similarity",
        group="scoring",
    )
    speech_classifier: Path | None = speech_classifier_option("style")
    style_labels: Path | None = option(
        None,
        "With --speech-classifier: the right style of each clip, a TSV with the columns id and style.",
        metavar="TSV",
        reads=True,
        group="input",
    )
    speaker: str | None = option(
        None,
        "Voice, by name or index; same: the voice with the name of the clip's speaker, if there is one.",
        metavar="NAME|N|same",
        default_text="the model's",
        group="speech",
    )
    save_audio: Path | None = option(
        None,
        "Also write the resynthesized clips to this folder, as ID.wav.",
        metavar="FOLDER",
        group="output",
        writes="folder",
        execution=True,
    )

    @property
    def recognizes(self) -> bool:
        """Whether there is a recognizer."""
        return self.asr != "none"

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if the data is not there."""
        super().check()
        self.check_data()
        if self.style_labels is not None:
            self.style_labels.stat()
            if self.speech_classifier is None:
                raise OptionError("needs --speech-classifier", "--style-labels")
        if self.hypotheses is not None:
            self.hypotheses.stat()
            for flag, value in (("--speaker", self.speaker), ("--save-audio", self.save_audio)):
                if value is not None:
                    raise OptionError("excludes --hypotheses, whose audio is there already", flag)
