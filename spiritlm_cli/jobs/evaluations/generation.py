"""`evaluate asr` and `tts`: error rates of transcripts and of speech that the language model generates."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from spiritlm_cli.english.normalizers import describe_normalizer
from spiritlm_cli.evaluation import asr, tts
from spiritlm_cli.evaluation.hypotheses import read_texts, speech_finder
from spiritlm_cli.evaluation.judges.asr import describe_asr, load_asr
from spiritlm_cli.evaluation.prompting import Prompter
from spiritlm_cli.jobs.evaluations.answers import (
    load_prompts,
    prompt_facts,
    with_outputs,
    with_stops,
    with_texts,
)
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.evaluations.saved_audio import check_saved_audio, save_audio
from spiritlm_cli.jobs.options.evaluate_generation import AsrOptions, TtsOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import BadClip, Clip, Waveform
from spiritlm_cli.manifests.transcribed import scan_transcribed
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder

__all__ = ["AsrEvaluation", "TtsEvaluation"]

Options = TypeVar("Options", AsrOptions, TtsOptions)


@dataclass(frozen=True)
class _ClipEvaluation(Evaluation[Options, Clip]):
    """Recordings and their texts."""

    what = "clips"

    def items(self) -> Sequence[Clip | BadItem]:
        """Read the clips, and which of them have outputs."""
        items = [
            BadItem(clip.id, clip.source, clip.error) if isinstance(clip, BadClip) else clip
            for clip in scan_transcribed(self.options.source)
        ]
        path = self.options.hypotheses
        return self._with_outputs(items, path) if path else items

    def _with_outputs(self, items: Sequence[Clip | BadItem], path: Path) -> Sequence[Clip | BadItem]:
        """The items, with a BadItem in place of each without an output in `path`."""
        return with_texts(items, path)

    def _prompt_facts(self, default_length: str) -> dict[str, Any]:
        options = self.options
        pool = options.examples.resolve().name if options.examples else None
        return prompt_facts(options, pool, default_length)

    def _load_tokenizer(self) -> SpeechTokenizer:
        options = self.options
        return SpeechTokenizer.load(options.checkpoint, expressive=options.expressive, device=options.device)

    def _load_model(self) -> LanguageModel:
        options = self.options
        return LanguageModel.load(
            options.checkpoint, expressive=options.expressive, device=options.device, dtype=options.dtype
        )


@dataclass(frozen=True)
class AsrEvaluation(_ClipEvaluation[AsrOptions]):
    """Transcripts of the language model."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer and the language model, unless there are transcripts."""
        return () if self.options.hypotheses else ("tokenizer", "language model")

    def facts(self) -> dict[str, Any]:
        """How the transcripts are generated and compared."""
        options = self.options
        normalizer = {"normalizer": describe_normalizer(options.normalizer)}
        if options.hypotheses:
            return {"transcripts": options.hypotheses.name, **normalizer}
        lengths = self._prompt_facts("6 a second and 20, and those of the marks")
        return {**lengths, "sampling": "greedy", **normalizer}

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the models. Raises CheckpointError; TokenError and ManifestError for examples."""
        options = self.options
        if options.hypotheses:
            yield partial(asr.score_texts, read_texts(options.hypotheses), options.normalizer)
            return
        tokenizer = self._load_tokenizer()
        few_shot = load_prompts(options, "text", lambda: tokenizer)
        sampling = with_stops(asr.SAMPLING, few_shot, options.seed)
        yield asr.SpeechToText(
            tokenizer,
            Prompter(self._load_model(), "text", sampling, few_shot, options.context),
            options.normalizer,
            options.max_new_tokens,
            options.batch_size,
        ).measure


@dataclass(frozen=True)
class TtsEvaluation(_ClipEvaluation[TtsOptions]):
    """Transcripts of the language model's speech."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model and the vocoder, and the tokenizer of examples, unless there is speech."""
        if self.options.hypotheses:
            return ()
        parts: tuple[Part, ...] = ("language model", "vocoder")
        return ("tokenizer", *parts) if self.options.default_form else parts

    def items(self) -> Sequence[Clip | BadItem]:
        """Read the clips. Raises OptionError for a folder to write to that has clips, which would be lost."""
        items = super().items()
        if self.options.save_audio:
            recordings = (item.source for item in items if isinstance(item, Clip))
            check_saved_audio(self.options.save_audio, recordings)
        return items

    def facts(self) -> dict[str, Any]:
        """How the speech is generated, recognized and compared."""
        options = self.options
        judges = {
            "recognizer": describe_asr(options.asr),
            "normalizer": describe_normalizer(options.normalizer),
        }
        if options.hypotheses:
            return {"speech": options.hypotheses.resolve().name, **judges}
        sampling = tts.SAMPLING
        return {
            **self._prompt_facts("to the end of the context"),
            "sampling": f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, seed {options.seed}",
            "voice": options.speaker or "the default",
            **judges,
        }

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the models. Raises as `AsrEvaluation.load`, and MissingPackageError without a recognizer."""
        options = self.options
        recognizer = load_asr(options.asr, options.device)
        if options.hypotheses:
            yield partial(tts.score_speech, speech_finder(options.hypotheses), recognizer, options.normalizer)
            return
        few_shot = load_prompts(options, "speech", cache(self._load_tokenizer))
        sampling = with_stops(tts.SAMPLING, few_shot, options.seed)
        yield tts.TextToSpeech(
            Prompter(self._load_model(), "speech", sampling, few_shot, options.context),
            Vocoder.load(options.checkpoint, expressive=options.expressive, device=options.device),
            recognizer,
            options.normalizer,
            options.speaker,
            options.max_new_tokens,
            options.batch_size,
            self._save if options.save_audio else None,
        ).measure

    def _with_outputs(self, items: Sequence[Clip | BadItem], path: Path) -> Sequence[Clip | BadItem]:
        return with_outputs(items, speech_finder(path))

    def _save(self, clip: Clip, waveform: Waveform) -> None:
        save_audio(self.options.save_audio, clip.id, waveform)
