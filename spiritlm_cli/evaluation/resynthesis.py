"""`resynthesis`: word errors of clips after tokenizing and decoding, beside those of the original clips."""

from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.evaluation.judges.asr import Asr, load_asr
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.evaluation.scored_text import ScoredText, reference_text, text_result, text_row
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

_PUBLISHED_ORIGINAL = (Published("originals", {"wer": 16.2}),)
_PUBLISHED_RESYNTHESIS = (
    Published("Base", {"wer": 23.4}),
    Published("Expressive", {"wer": 23.2}),
)


@dataclass(frozen=True)
class ResynthesisItem:
    """Result for one clip: scored transcripts of the original and of the speech decoded from its tokens.

    seconds, resynthesis_seconds: length of each; tokens: number of units in the token line.
    """

    id: str
    reference: str
    speaker: str | None
    seconds: float
    resynthesis_seconds: float
    tokens: int
    original: ScoredText
    resynthesis: ScoredText

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "id": self.id,
            "reference": self.reference,
            "speaker": self.speaker,
            "seconds": self.seconds,
            "resynthesis_seconds": self.resynthesis_seconds,
            "tokens": self.tokens,
            "original": self.original.to_json(),
            "resynthesis": self.resynthesis.to_json(),
        }


@dataclass(frozen=True)
class Resynthesis:
    """Clip → units → vocoder → recognizer, beside clip → recognizer.

    speaker: name or index of a vocoder voice; None: the model's default; "same": the voice with the name of the clip's
    speaker, or the default if the vocoder has none of that name.
    """

    tokenizer: SpeechTokenizer
    vocoder: Vocoder
    recognizer: Asr
    speaker: str | None = None
    normalizer: NormalizerName = "whisper"

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        recognizer: str | Path = "base.en",
        speaker: str | None = None,
        normalizer: NormalizerName = "whisper",
    ) -> "Resynthesis":
        """Load the parts of a checkpoint: see `find_checkpoint`.

        recognizer: as in `load_asr`. Raises CheckpointError, and MissingPackageError without faster-whisper.
        """
        return cls(
            SpeechTokenizer.load(model, expressive=expressive, device=device),
            Vocoder.load(model, expressive=expressive, device=device),
            load_asr(recognizer, device),
            speaker,
            normalizer,
        )

    def measure(self, clip: Clip) -> ResynthesisItem:
        """Score one clip. Raises ManifestError for a clip without text, AudioError for a clip that can't be read."""
        reference = reference_text(clip, self.normalizer)
        waveform = read_clip(clip)
        speech = merge_streams(self.tokenizer.encode(waveform))
        speaker = self._speaker(clip)
        resynthesis = self.vocoder.decode(Sequence.of([speech]), speaker=speaker)
        return ResynthesisItem(
            id=clip.id,
            reference=reference,
            speaker=speaker,
            seconds=waveform.seconds,
            resynthesis_seconds=resynthesis.seconds,
            tokens=len(speech.units),
            original=ScoredText.score(reference, self.recognizer.transcribe(waveform), self.normalizer),
            resynthesis=ScoredText.score(reference, self.recognizer.transcribe(resynthesis), self.normalizer),
        )

    def _speaker(self, clip: Clip) -> str | None:
        if self.speaker != "same":
            return self.speaker
        return clip.speaker if clip.speaker in self.vocoder.voices.speakers else None


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute the result of records of `ResynthesisItem.to_json`."""
    rows = (
        text_row("original", [record["original"] for record in records], _PUBLISHED_ORIGINAL),
        text_row("resynthesis", [record["resynthesis"] for record in records], _PUBLISHED_RESYNTHESIS),
    )
    return text_result(description, records, rows)
