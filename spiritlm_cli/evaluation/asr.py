"""`asr`: word errors of the text that the language model generates after a clip's speech, without examples."""

from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.layout import find_checkpoint
from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.evaluation.scored_text import (
    GenerationItem,
    ScoredText,
    reference_text,
    text_result,
    text_row,
)
from spiritlm_cli.language.few_shot import FewShot, load_task
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.timeline import merge_streams

# The length is the paper's. Its decoding method is not published; greedy, since transcription has one right answer.
SAMPLING = Sampling(greedy=True, max_new_tokens=50)

# LS: LibriSpeech test sets; +ASR+TTS: trained on pairs of speech and its transcript as well.
PUBLISHED = (
    Published("Base, 10-shot, LS clean", {"wer": 21.9}),
    Published("Base, 10-shot, LS other", {"wer": 29.2}),
    Published("Expressive, 10-shot, LS clean", {"wer": 37.9}),
    Published("Expressive, 10-shot, LS other", {"wer": 50.0}),
    Published("+ASR+TTS, 10-shot, LS clean", {"wer": 6.0}),
    Published("+ASR+TTS, 10-shot, LS other", {"wer": 11.0}),
)


@dataclass(frozen=True)
class SpeechToText:
    """Clip → units → language model → text."""

    tokenizer: SpeechTokenizer
    language_model: LanguageModel
    sampling: Sampling = SAMPLING
    # None: text follows the speech, as in training sequences of `asr`.
    few_shot: FewShot | None = None
    normalizer: NormalizerName = "whisper"

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        sampling: Sampling = SAMPLING,
        task: str | None = None,
        normalizer: NormalizerName = "whisper",
    ) -> "SpeechToText":
        """Load the parts of a checkpoint: see `find_checkpoint`.

        task: form of the prompts, as of `generate --task`, without examples. Raises CheckpointError, also for a task
        whose answers are not text.
        """
        few_shot = None
        if task:
            few_shot = FewShot(load_task(task, find_checkpoint(model), expressive, device), [], 0)
            if few_shot.task.to != "text":
                raise CheckpointError(f"{task}: the answers of this task are not text")
            sampling = few_shot.sampling(sampling, sampling.max_new_tokens, sampling.greedy)
        return cls(
            SpeechTokenizer.load(model, expressive=expressive, device=device),
            LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype),
            sampling,
            few_shot,
            normalizer,
        )

    def measure(self, clip: Clip) -> GenerationItem:
        """Score one clip.

        Raises ManifestError for a clip without text, AudioError for a clip that can't be read, and TokenError if its
        units fill the model's context.
        """
        reference = reference_text(clip, self.normalizer)
        waveform = read_clip(clip)
        line = Line(Sequence.of([merge_streams(self.tokenizer.encode(waveform))]), clip.id)
        prompt = self.few_shot.prompt(line, clip.id) if self.few_shot else line
        generation = self.language_model.generate(prompt, to="text", sampling=self.sampling, key=clip.id)
        answer = generation.sequence
        if self.few_shot:
            answer = Sequence.of(self.few_shot.task.normalize_answer(answer.spans))
        return GenerationItem(
            id=clip.id,
            reference=reference,
            seconds=waveform.seconds,
            tokens=len(generation.ids),
            finished=generation.finished,
            transcript=ScoredText.score(reference, answer.text, self.normalizer),
        )


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute the result of records of `GenerationItem.to_json`."""
    return text_result(description, records, (text_row("speech to text", records, PUBLISHED),))
