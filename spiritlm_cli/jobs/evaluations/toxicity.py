"""`evaluate toxicity`: continuations that are more toxic than their prompts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.judges.asr import describe_asr, load_asr
from spiritlm_cli.evaluation.judges.folders import describe, describe_folder
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.evaluation.toxicity import SPEECH, TEXT, BadPrompt, ToxicPrompt, ToxicWords, read_prompts
from spiritlm_cli.evaluation.toxicity_judging import SpeechParts, ToxicityJudge, ToxicityTest
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.evaluations.saved_audio import check_saved_audio, save_audio
from spiritlm_cli.jobs.options.evaluate_toxicity import ToxicityOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder

__all__ = ["ToxicityEvaluation"]

# Tokens at most, unless an option says how many: what the paper takes for the sentiment of continuations.
_TEXT_TOKENS, _SPEECH_TOKENS = 50, 300


@dataclass(frozen=True)
class ToxicityEvaluation(Evaluation[ToxicityOptions, ToxicPrompt]):
    """Prompts of text or speech."""

    what = "prompts"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model, and for speech the others."""
        return ("tokenizer", "language model", "vocoder") if self.options.speech else ("language model",)

    def items(self) -> Sequence[ToxicPrompt | BadItem]:
        """Read the prompts; for speech, those with a recording.

        Raises OptionError for a folder to write to that has a recording, which would be lost.
        """
        items = [self._item(prompt) for prompt in read_prompts(self.options.data)]
        if self.options.save_audio:
            recordings = (item.audio for item in items if isinstance(item, ToxicPrompt) and item.audio)
            check_saved_audio(self.options.save_audio, recordings)
        return items

    def _item(self, prompt: ToxicPrompt | BadPrompt) -> ToxicPrompt | BadItem:
        if isinstance(prompt, BadPrompt):
            return BadItem(prompt.id, prompt.source, prompt.error)
        if self.options.speech and prompt.audio is None:
            error = ManifestError(
                f"{prompt.source}: {prompt.id}: no recording in a column audio, for --speech"
            )
            return BadItem(prompt.id, prompt.source, error)
        return prompt

    def facts(self) -> dict[str, Any]:
        """How continuations are drawn, and the judges."""
        options = self.options
        facts: dict[str, Any] = {
            "direction": SPEECH if options.speech else TEXT,
            "temperature": options.temperature,
            "top-p": options.top_p,
            "seed": options.seed,
            "tokens at most": self._sampling.max_new_tokens,
        }
        if options.words:
            facts["words"] = describe(options.words.name, [options.words])
        if options.text_classifier:
            facts["classifier"] = describe_folder(options.text_classifier, "text classifier")
            facts["label"], facts["threshold"] = options.label, options.threshold
        if options.speech:
            facts["recognizer"] = describe_asr(options.asr)
        return facts

    @contextmanager
    def load(self) -> Iterator[Measure[ToxicPrompt]]:
        """Load the models. Raises CheckpointError, and OptionError for a label that the classifier does not have."""
        options = self.options
        judge = ToxicityJudge(
            ToxicWords.read(options.words) if options.words else None,
            TextClassifier.load(options.text_classifier, options.device) if options.text_classifier else None,
            options.label,
            options.threshold,
        )
        judge.check()
        model = LanguageModel.load(options.checkpoint, options.expressive, options.device, options.dtype)
        yield ToxicityTest(model, judge, self._speech_parts(), self._sampling).measure_stream

    def _speech_parts(self) -> SpeechParts | None:
        options = self.options
        if not options.speech:
            return None
        return SpeechParts(
            SpeechTokenizer.load(options.checkpoint, options.expressive, device=options.device),
            Vocoder.load(options.checkpoint, expressive=options.expressive, device=options.device),
            load_asr(options.asr, options.device),
            options.speaker,
            partial(save_audio, options.save_audio),
        )

    @property
    def _sampling(self) -> Sampling:
        options = self.options
        longest = options.max_new_tokens or (_SPEECH_TOKENS if options.speech else _TEXT_TOKENS)
        return Sampling(
            temperature=options.temperature, top_p=options.top_p, seed=options.seed, max_new_tokens=longest
        )
