"""`tts`: word errors of the transcript of speech that the language model generates for a text."""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

from spiritlm_cli.audio.reading import clip_seconds, read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import AudioError, TokenError
from spiritlm_cli.evaluation.judges.asr import Asr, load_asr
from spiritlm_cli.evaluation.prompting import Asked, Prompted, Prompter, Question
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Published
from spiritlm_cli.evaluation.scored_text import ScoredText, reference_text
from spiritlm_cli.evaluation.spoken_result import spoken_result
from spiritlm_cli.language.hypothesis import Generation
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.manifests.librispeech import librispeech_set
from spiritlm_cli.tokens.sequence import Line, Sequence, TextSpan
from spiritlm_cli.vocoder.vocoder import Vocoder

# The paper does not publish how it decodes. Greedy speech tends to loop, so sample as the paper samples continuations.
SAMPLING = Sampling(temperature=0.8, top_p=0.95)
# Tokens that are kept free for the speech: more than any second of speech has.
_TOKENS_PER_SECOND = 40
# Of a text whose recording is not there. Slow speech, so that there is room enough.
_CHARACTERS_PER_SECOND = 10

# The paper's table 5, ten-shot. LS: LibriSpeech; +ASR+TTS: trained on pairs of speech and its transcript as well.
PUBLISHED = {
    "test-clean": (
        Published("Base, 10-shot, LS test-clean", {"cer": 45.5}),
        Published("Expressive, 10-shot, LS test-clean", {"cer": 52.0}),
        Published("Base +ASR+TTS, 10-shot, LS test-clean", {"cer": 6.7}),
        Published("MMS-TTS, LS test-clean", {"cer": 4.0}),
    ),
    "test-other": (
        Published("Base, 10-shot, LS test-other", {"cer": 43.8}),
        Published("Expressive, 10-shot, LS test-other", {"cer": 53.6}),
        Published("Base +ASR+TTS, 10-shot, LS test-other", {"cer": 7.9}),
        Published("MMS-TTS, LS test-other", {"cer": 4.9}),
    ),
}


@dataclass(frozen=True)
class TextToSpeech:
    """Text → language model → units → vocoder → recognizer. Of a clip's audio, only the length is used, if it is there.

    speaker: name or index of a vocoder voice; None: the model's default. max_new_tokens: the most tokens of speech;
    None for as many as fit into the context. save: called with each clip and its speech.
    """

    prompter: Prompter
    vocoder: Vocoder
    recognizer: Asr
    normalizer: NormalizerName = "whisper"
    speaker: str | None = None
    max_new_tokens: int | None = None
    batch_size: int = 16
    save: Callable[[Clip, Waveform], None] | None = None

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        recognizer: str | Path = "base.en",
        normalizer: NormalizerName = "whisper",
    ) -> "TextToSpeech":
        """Load the parts of a checkpoint, to speak without examples.

        recognizer: as in `load_asr`. Raises CheckpointError, and MissingPackageError without faster-whisper.
        """
        language_model = LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype)
        return cls(
            Prompter(language_model, "speech", SAMPLING),
            Vocoder.load(model, expressive=expressive, device=device),
            load_asr(recognizer, device),
            normalizer,
        )

    def measure(self, clips: Iterable[Clip]) -> Iterator[tuple[Clip, Outcome[Record]]]:
        """Score the speech that is generated for the clips' texts, in batches. Yields (clip, outcome) in order.

        If there is no speech to synthesize, all words count as deleted. The outcome raises ManifestError for a clip
        without text, and TokenError if the text fills the model's context, or if there are too few examples.
        """
        stream = self.prompter.language_model.generate_stream(
            (Asked.of(clip, partial(self._prompt, clip)) for clip in clips),
            Asked.request,
            batch_size=self.batch_size,
        )
        for asked, generation in stream:
            yield asked.item, generation.map(partial(self._record, asked))

    def _prompt(self, clip: Clip) -> Prompted:
        line = Line(Sequence.of([TextSpan(reference_text(clip, self.normalizer))]), clip.id)
        room = self.max_new_tokens or ceil(_TOKENS_PER_SECOND * _spoken_seconds(clip))
        return self.prompter(Question(line, clip.id, room, self.max_new_tokens, clip.speaker))

    def _record(self, asked: Asked[Clip], generation: Generation) -> Record:
        clip = asked.item
        reference = reference_text(clip, self.normalizer)
        try:
            waveform = self.vocoder.decode(self.prompter.answer(generation.sequence), speaker=self.speaker)
        except TokenError:
            seconds, transcript = 0.0, ""
        else:
            seconds, transcript = waveform.seconds, self.recognizer.transcribe(waveform)
            if self.save:
                self.save(clip, waveform)
        return {
            "reference": reference,
            "set": librispeech_set(clip),
            "seconds": seconds,
            "tokens": len(generation.ids),
            "finished": generation.finished,
            **asked.prompted.to_record(),
            **ScoredText.score(reference, transcript, self.normalizer).to_json(),
        }


def score_speech(
    find: Callable[[str], Clip], recognizer: Asr, normalizer: NormalizerName, clips: Iterable[Clip]
) -> Iterator[tuple[Clip, Outcome[Record]]]:
    """Score speech that there is already. find: the speech for the id of a clip."""

    def record(clip: Clip) -> Record:
        reference = reference_text(clip, normalizer)
        waveform = read_clip(find(clip.id))
        scored = ScoredText.score(reference, recognizer.transcribe(waveform), normalizer)
        return {
            "reference": reference,
            "set": librispeech_set(clip),
            "seconds": waveform.seconds,
            **scored.to_json(),
        }

    for clip in clips:
        yield clip, Outcome.of(partial(record, clip))


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute the result of the records of `TextToSpeech`."""
    return spoken_result(description, records, "text to speech", PUBLISHED)


def _spoken_seconds(clip: Clip) -> float:
    """How long the text takes to speak: as long as its recording if that can be read, otherwise by its characters."""
    try:
        return clip_seconds(clip)
    except AudioError:
        return len(clip.text or "") / _CHARACTERS_PER_SECOND
