"""Speech to text and text to speech by the language model, given nothing but the speech or the text."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import TokenError
from spiritlm_cli.evaluation.clips import reference_text
from spiritlm_cli.evaluation.recognizer import Recognizer
from spiritlm_cli.evaluation.report import Published, Report, Row, Transcript
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

# The lengths are the paper's; how it drew these two tasks' tokens is not published. Writing has one right
# answer, so the likeliest is taken; speech taken so tends to loop, so it is drawn as the paper draws
# continuations.
ASR_SAMPLING = Sampling(greedy=True, max_new_tokens=50)
TTS_SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_new_tokens=300)

# LS: LibriSpeech test sets; +ASR+TTS: trained on pairs of speech and its text as well
PUBLISHED_ASR = (
    Published("Base, 10-shot, LS clean", "WER", 21.9),
    Published("Base, 10-shot, LS other", "WER", 29.2),
    Published("Expressive, 10-shot, LS clean", "WER", 37.9),
    Published("Expressive, 10-shot, LS other", "WER", 50.0),
    Published("+ASR+TTS, 10-shot, LS clean", "WER", 6.0),
    Published("+ASR+TTS, 10-shot, LS other", "WER", 11.0),
)
PUBLISHED_TTS = (
    Published("Base, 10-shot, LS clean", "CER", 45.5),
    Published("Base, 10-shot, LS other", "CER", 43.8),
    Published("Expressive, 10-shot, LS clean", "CER", 52.0),
    Published("Expressive, 10-shot, LS other", "CER", 53.6),
    Published("+ASR+TTS, 10-shot, LS clean", "CER", 6.7),
    Published("+ASR+TTS, 10-shot, LS other", "CER", 7.9),
)


@dataclass(frozen=True)
class RecognitionItem:
    """One clip: what the model wrote of its speech, or what is heard in the model's speech of its text.

    seconds: of the speech, the clip's or the model's. tokens: that the model added. finished: whether it
    ended by itself, and not at the limit.
    """

    id: str
    reference: str
    seconds: float
    tokens: int
    finished: bool
    transcript: Transcript

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "reference": self.reference,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "finished": self.finished,
            **self.transcript.to_json(),
        }


@dataclass(frozen=True)
class SpeechToText:
    """`evaluate asr`: clip → units → language model → text."""

    tokenizer: SpeechTokenizer
    language_model: LanguageModel
    sampling: Sampling = ASR_SAMPLING

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        sampling: Sampling = ASR_SAMPLING,
    ) -> "SpeechToText":
        """Raises CheckpointError."""
        return cls(
            SpeechTokenizer.load(model, expressive=expressive, device=device),
            LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype),
            sampling,
        )

    def measure(self, clip: Clip) -> RecognitionItem:
        """Raises ManifestError for a clip without text, AudioError for one that can't be read, TokenError for
        one whose units fill the model's context."""
        reference = reference_text(clip)
        waveform = read_clip(clip)
        prompt = Sequence.of([merge_streams(self.tokenizer.encode(waveform))])
        written = self.language_model.generate(prompt, to="text", sampling=self.sampling, key=clip.id)
        return RecognitionItem(
            id=clip.id,
            reference=reference,
            seconds=waveform.seconds,
            tokens=len(written.ids),
            finished=written.finished,
            transcript=Transcript.score(reference, written.sequence.text),
        )

    def report(self, items: Iterable[RecognitionItem], seed: int = 0) -> Report:
        """Raises ManifestError where there are no items."""
        return _report("asr", "speech to text", items, PUBLISHED_ASR, seed)


@dataclass(frozen=True)
class TextToSpeech:
    """`evaluate tts`: text → language model → units → vocoder → recognizer. The clip's sound is not read.

    speaker: the vocoder's voice, None is its default.
    """

    language_model: LanguageModel
    vocoder: Vocoder
    recognizer: Recognizer
    speaker: str | None = None
    sampling: Sampling = TTS_SAMPLING

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        recognizer: str | Path = "base.en",
        speaker: str | None = None,
        sampling: Sampling = TTS_SAMPLING,
    ) -> "TextToSpeech":
        """Raises CheckpointError, MissingPackageError."""
        return cls(
            LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype),
            Vocoder.load(model, expressive=expressive, device=device),
            Recognizer.load(recognizer, device),
            speaker,
            sampling,
        )

    def measure(self, clip: Clip) -> RecognitionItem:
        """Where the model says nothing, or what no voice can speak, every word is wrong.

        Raises ManifestError for a clip without text, TokenError for one whose text fills the model's context.
        """
        reference = reference_text(clip)
        prompt = Sequence.of([TextSpan(reference)])
        spoken = self.language_model.generate(prompt, to="speech", sampling=self.sampling, key=clip.id)
        try:
            waveform = self.vocoder.decode(spoken.sequence, speaker=self.speaker)
        except TokenError:
            seconds, heard = 0.0, ""
        else:
            seconds, heard = waveform.seconds, self.recognizer.transcribe(waveform)
        return RecognitionItem(
            id=clip.id,
            reference=reference,
            seconds=seconds,
            tokens=len(spoken.ids),
            finished=spoken.finished,
            transcript=Transcript.score(reference, heard),
        )

    def report(self, items: Iterable[RecognitionItem], seed: int = 0) -> Report:
        """Raises ManifestError where there are no items."""
        return _report("tts", "text to speech", items, PUBLISHED_TTS, seed)


def _report(
    task: str, name: str, items: Iterable[RecognitionItem], published: tuple[Published, ...], seed: int
) -> Report:
    items = list(items)
    row = Row.of(name, (item.transcript for item in items), published, seed)
    return Report(task, len(items), sum(item.seconds for item in items), (row,))
