"""`tts`: word errors of the transcript of speech that the language model generates for a text, without examples."""

from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import TokenError
from spiritlm_cli.evaluation.judges.asr import Asr, load_asr
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.evaluation.scored_text import (
    GenerationItem,
    ScoredText,
    reference_text,
    text_result,
    text_row,
)
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.vocoder.vocoder import Vocoder

# The length is the paper's. Its decoding method is not published; greedy speech tends to loop, so sample as the paper
# samples continuations.
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_new_tokens=300)

# LS: LibriSpeech test sets; +ASR+TTS: trained on pairs of speech and its transcript as well.
PUBLISHED = (
    Published("Base, 10-shot, LS clean", {"cer": 45.5}),
    Published("Base, 10-shot, LS other", {"cer": 43.8}),
    Published("Expressive, 10-shot, LS clean", {"cer": 52.0}),
    Published("Expressive, 10-shot, LS other", {"cer": 53.6}),
    Published("+ASR+TTS, 10-shot, LS clean", {"cer": 6.7}),
    Published("+ASR+TTS, 10-shot, LS other", {"cer": 7.9}),
)


@dataclass(frozen=True)
class TextToSpeech:
    """Text → language model → units → vocoder → recognizer. The clip's audio is not read.

    speaker: name or index of a vocoder voice; None: the model's default.
    """

    language_model: LanguageModel
    vocoder: Vocoder
    recognizer: Asr
    speaker: str | None = None
    sampling: Sampling = SAMPLING
    normalizer: NormalizerName = "whisper"

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        recognizer: str | Path = "base.en",
        speaker: str | None = None,
        sampling: Sampling = SAMPLING,
        normalizer: NormalizerName = "whisper",
    ) -> "TextToSpeech":
        """Load the parts of a checkpoint: see `find_checkpoint`.

        recognizer: as in `load_asr`. Raises CheckpointError, and MissingPackageError without faster-whisper.
        """
        return cls(
            LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype),
            Vocoder.load(model, expressive=expressive, device=device),
            load_asr(recognizer, device),
            speaker,
            sampling,
            normalizer,
        )

    def measure(self, clip: Clip) -> GenerationItem:
        """Score the speech generated for one clip's text; if there is none to synthesize, all words count as deleted.

        Raises ManifestError for a clip without text, and TokenError if the text fills the model's context.
        """
        reference = reference_text(clip, self.normalizer)
        prompt = Sequence.of([TextSpan(reference)])
        generation = self.language_model.generate(prompt, to="speech", sampling=self.sampling, key=clip.id)
        try:
            waveform = self.vocoder.decode(generation.sequence, speaker=self.speaker)
        except TokenError:
            seconds, transcript = 0.0, ""
        else:
            seconds, transcript = waveform.seconds, self.recognizer.transcribe(waveform)
        return GenerationItem(
            id=clip.id,
            reference=reference,
            seconds=seconds,
            tokens=len(generation.ids),
            finished=generation.finished,
            transcript=ScoredText.score(reference, transcript, self.normalizer),
        )


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute the result of records of `GenerationItem.to_json`."""
    return text_result(description, records, (text_row("text to speech", records, PUBLISHED),))
