"""How much is understood of speech that has been through tokens and back: tokenizer and vocoder, no LM."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.evaluation.clips import reference_text
from spiritlm_cli.evaluation.recognizer import Recognizer
from spiritlm_cli.evaluation.report import Published, Report, Row, Transcript
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

PUBLISHED_ORIGINAL = (Published("originals", "WER", 16.2),)
PUBLISHED_RESYNTHESIS = (
    Published("Base", "WER", 23.4),
    Published("Expressive", "WER", 23.2),
)


@dataclass(frozen=True)
class ResynthesisItem:
    """One clip: what the recognizer hears in the original and in what is spoken from its tokens.

    seconds, resynthesis_seconds: lengths of the two; tokens: units in the token line between them.
    """

    id: str
    reference: str
    speaker: str | None
    seconds: float
    resynthesis_seconds: float
    tokens: int
    original: Transcript
    resynthesis: Transcript

    def to_json(self) -> dict[str, Any]:
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
    """Clip → units → token line → waveform → recognizer, beside clip → recognizer.

    speaker: the vocoder's voice, by name or number; None is its default; "same" is the clip's own where the
    vocoder has a voice of that name, else the default.
    """

    tokenizer: SpeechTokenizer
    vocoder: Vocoder
    recognizer: Recognizer
    speaker: str | None = None

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        recognizer: str | Path = "base.en",
        speaker: str | None = None,
    ) -> "Resynthesis":
        """Raises CheckpointError, MissingPackageError."""
        return cls(
            SpeechTokenizer.load(model, expressive=expressive, device=device),
            Vocoder.load(model, expressive=expressive, device=device),
            Recognizer.load(recognizer, device),
            speaker,
        )

    def measure(self, clip: Clip) -> ResynthesisItem:
        """Raises ManifestError for a clip without text, AudioError for one that can't be read."""
        reference = reference_text(clip)
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
            original=Transcript.score(reference, self.recognizer.transcribe(waveform)),
            resynthesis=Transcript.score(reference, self.recognizer.transcribe(resynthesis)),
        )

    def report(self, items: Iterable[ResynthesisItem], seed: int = 0) -> Report:
        """Raises ManifestError where there are no items."""
        items = list(items)
        return Report(
            task="resynthesis",
            items=len(items),
            seconds=sum(item.seconds for item in items),
            rows=(
                Row.of("original", (item.original for item in items), PUBLISHED_ORIGINAL, seed),
                Row.of("resynthesis", (item.resynthesis for item in items), PUBLISHED_RESYNTHESIS, seed),
            ),
        )

    def _speaker(self, clip: Clip) -> str | None:
        if self.speaker != "same":
            return self.speaker
        return clip.speaker if clip.speaker in self.vocoder.speakers else None
