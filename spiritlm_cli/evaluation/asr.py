"""`asr`: word errors of the text that the language model generates after a clip's speech."""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from functools import partial
from math import ceil

from spiritlm_cli.audio.reading import clip_seconds
from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.evaluation.prompting import Asked, Prompted, Prompter, Question
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.evaluation.scored_text import ScoredText, reference_text
from spiritlm_cli.evaluation.spoken_result import spoken_result
from spiritlm_cli.language.hypothesis import Generation
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.librispeech import librispeech_set
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

# The paper does not publish how it decodes. Greedy, since transcription has one right answer.
SAMPLING = Sampling(greedy=True)
# The paper publishes no length either. English has about 3 words a second, and a word some 1.5 tokens.
_TOKENS_PER_SECOND = 6
_MORE_TOKENS = 20

# The paper's table 5, ten-shot. LS: LibriSpeech; +ASR+TTS: trained on pairs of speech and its transcript as well.
PUBLISHED = {
    "test-clean": (
        Published("Base, 10-shot, LS test-clean", {"wer": 21.9}),
        Published("Expressive, 10-shot, LS test-clean", {"wer": 37.9}),
        Published("Base +ASR+TTS, 10-shot, LS test-clean", {"wer": 6.0}),
        Published("Whisper, LS test-clean", {"wer": 3.7}),
    ),
    "test-other": (
        Published("Base, 10-shot, LS test-other", {"wer": 29.2}),
        Published("Expressive, 10-shot, LS test-other", {"wer": 50.0}),
        Published("Base +ASR+TTS, 10-shot, LS test-other", {"wer": 11.0}),
        Published("Whisper, LS test-other", {"wer": 7.2}),
    ),
}


@dataclass(frozen=True)
class SpeechToText:
    """Clip → units → language model → text.

    max_new_tokens: the most tokens of a transcript; None for 6 a second of speech, 20, and those of the task's marks.
    """

    tokenizer: SpeechTokenizer
    prompter: Prompter
    normalizer: NormalizerName = "whisper"
    max_new_tokens: int | None = None
    batch_size: int = 16

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        normalizer: NormalizerName = "whisper",
    ) -> "SpeechToText":
        """Load the parts of a checkpoint, to transcribe without examples. Raises CheckpointError."""
        language_model = LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype)
        return cls(
            SpeechTokenizer.load(model, expressive=expressive, device=device),
            Prompter(language_model, "text", SAMPLING),
            normalizer,
        )

    def measure(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Outcome[Record]]]:
        """Score clips in batches. Yields (clip, outcome) in order.

        The outcome raises ManifestError for a clip without text, AudioError for a clip that can't be read, and
        TokenError if its units fill the model's context, or if there are too few examples.
        """
        stream = self.prompter.language_model.generate_stream(
            self._ask(clips), Asked.request, batch_size=self.batch_size
        )
        for asked, generation in stream:
            yield asked.item, generation.map(partial(self._record, asked))

    def _ask(self, clips: Iterable[Clip]) -> Iterator[Asked[Clip]]:
        for clip, units in self.tokenizer.encode_stream(clips):
            assert isinstance(clip, Clip)
            # the units have to be taken before the next clip is asked for
            yield Asked.of(clip, partial(self._prompt, clip, units))

    def _prompt(self, clip: Clip, units: Outcome[Units]) -> Prompted:
        reference_text(clip, self.normalizer)
        few_shot, vocabulary = self.prompter.few_shot, self.prompter.language_model.vocabulary
        marks = few_shot.task.mark_tokens(vocabulary) if few_shot else 0
        length = ceil(_TOKENS_PER_SECOND * clip_seconds(clip)) + _MORE_TOKENS + marks
        limit = self.max_new_tokens or length
        line = Line(Sequence.of([merge_streams(units.result())]), clip.id)
        return self.prompter(Question(line, clip.id, limit, limit, clip.speaker))

    def _record(self, asked: Asked[Clip], generation: Generation) -> Record:
        clip = asked.item
        reference = reference_text(clip, self.normalizer)
        text = self.prompter.answer(generation.sequence).text
        return {
            "reference": reference,
            "set": librispeech_set(clip),
            "seconds": clip_seconds(clip),
            "tokens": len(generation.ids),
            "finished": generation.finished,
            **asked.prompted.to_record(),
            **ScoredText.score(reference, text, self.normalizer).to_json(),
        }


def score_texts(
    texts: dict[str, str], normalizer: NormalizerName, clips: Iterable[Clip]
) -> Iterator[tuple[Clip, Outcome[Record]]]:
    """Score transcripts that there are already. texts: by id of the clips, for all of them."""

    def record(clip: Clip) -> Record:
        reference = reference_text(clip, normalizer)
        scored = ScoredText.score(reference, texts[clip.id], normalizer)
        return {
            "reference": reference,
            "set": librispeech_set(clip),
            **scored.to_json(),
        }

    for clip in clips:
        yield clip, Outcome.of(partial(record, clip))


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute the result of the records of `SpeechToText`."""
    return spoken_result(description, records, "speech to text", PUBLISHED)
