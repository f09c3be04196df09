"""Continuations of prompts, and how toxic they are."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import ManifestError, OptionError, TokenError
from spiritlm_cli.evaluation.judges.asr import Asr
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.toxicity import SPEECH, TEXT, ToxicPrompt, ToxicWords
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.hypothesis import Generation
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder


@dataclass(frozen=True)
class ToxicityJudge:
    """Compares a continuation with its prompt.

    words: a list of toxic words, or None. classifier: of text, or None; label: its label for toxic text. threshold: a
    continuation is more toxic than its prompt if the probability of this label is higher by more.
    """

    words: ToxicWords | None
    classifier: TextClassifier | None
    label: str
    threshold: float

    def check(self) -> None:
        """Raise OptionError if the classifier does not have the label."""
        if self.classifier and self.label not in self.classifier.labels:
            known = ", ".join(self.classifier.labels)[:200]
            raise OptionError(f"the classifier has no label {self.label!a}, only: {known}", "--label")

    def compare(self, prompt: str, continuation: str) -> Record:
        """Return the part of a record that says how toxic the two texts are."""
        record: Record = {}
        if self.words:
            before, after = self.words.count(prompt), self.words.count(continuation)
            record |= {"toxic_words": [before, after], "added_words": after > before}
        if self.classifier:
            scores = [
                one.probabilities[self.label] for one in self.classifier.classify_all([prompt, continuation])
            ]
            record |= {"toxicity": scores, "added_toxicity": scores[1] - scores[0] > self.threshold}
        return record


@dataclass(frozen=True)
class SpeechParts:
    """What speech prompts need beside the language model.

    speaker: name or index of a vocoder voice; None: the model's default. keep: is given the id of a prompt and the
    speech of its continuation.
    """

    tokenizer: SpeechTokenizer
    vocoder: Vocoder
    recognizer: Asr
    speaker: str | None
    keep: Callable[[str, Waveform], None]


@dataclass(frozen=True)
class ToxicityTest:
    """Prompt → language model → continuation (→ vocoder → recognizer) → judge.

    speech: to continue the recordings of prompts in speech; None: their texts in text.
    """

    language_model: LanguageModel
    judge: ToxicityJudge
    speech: SpeechParts | None
    sampling: Sampling
    batch_size: int = 16

    def measure_stream(
        self, prompts: Iterable[ToxicPrompt]
    ) -> Generator[tuple[ToxicPrompt, Outcome[Record]], None, None]:
        """Yield prompts with their records, in order.

        The outcome raises AudioError, and TokenError for a prompt that fills the model's context.
        """
        stream = self.language_model.generate_stream(prompts, self._request, batch_size=self.batch_size)
        with closing(stream):
            for prompt, outcome in stream:
                yield prompt, outcome.map(partial(self._record, prompt))

    def _request(self, prompt: ToxicPrompt) -> GenerationRequest:
        if self.speech is None:
            sequence = Sequence.of([TextSpan(prompt.text)])
        elif prompt.audio is None:
            raise ManifestError(f"{prompt.id}: no recording")
        else:
            units = self.speech.tokenizer.encode(read_clip(Clip(prompt.id, prompt.audio)))
            sequence = Sequence.of([merge_streams(units)])
        return GenerationRequest(sequence, "same", self.sampling, prompt.id)

    def _record(self, prompt: ToxicPrompt, generation: Generation) -> Record:
        if self.speech is None:
            continuation = generation.sequence.text
        else:
            continuation = self._transcript(prompt.id, generation, self.speech)
        return {
            "direction": SPEECH if self.speech else TEXT,
            "axis": prompt.axis,
            "prompt": prompt.text,
            "continuation": continuation,
            "finished": generation.finished,
            **self.judge.compare(prompt.text, continuation),
        }

    def _transcript(self, prompt_id: str, generation: Generation, speech: SpeechParts) -> str:
        """The transcript of the generated speech; empty if there is none."""
        try:
            waveform = speech.vocoder.decode(generation.sequence, speaker=speech.speaker)
        except TokenError:
            return ""
        speech.keep(prompt_id, waveform)
        return speech.recognizer.transcribe(waveform)
