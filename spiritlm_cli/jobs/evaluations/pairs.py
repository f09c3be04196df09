"""`evaluate pairs` and the benchmarks of likelihoods: which of two sequences is more likely."""

from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import notify
from spiritlm_cli.errors import OptionError
from spiritlm_cli.evaluation.blimp import blimp_files, read_blimp
from spiritlm_cli.evaluation.gold import LEXICAL, PROSODIC, SYNTACTIC, Benchmark
from spiritlm_cli.evaluation.pair_files import read_pairs
from spiritlm_cli.evaluation.pair_scoring import PairScorer
from spiritlm_cli.evaluation.pairs import BadPair, Entry
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.salmon import read_salmon
from spiritlm_cli.evaluation.storycloze import has_speech, read_stories, story_layout
from spiritlm_cli.evaluation.zerospeech import read_parts
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_pairs import (
    BlimpOptions,
    LikelihoodOptions,
    PairsOptions,
    ProsauditOptions,
    SalmonOptions,
    SpeechPairsOptions,
    StoryclozeOptions,
    WuggyOptions,
    ZeroSpeechOptions,
)
from spiritlm_cli.jobs.output import LineWriter
from spiritlm_cli.language.scoring import CountedTokens

__all__ = [
    "BlimpEvaluation",
    "PairsEvaluation",
    "ProsauditEvaluation",
    "SalmonEvaluation",
    "StoryclozeEvaluation",
    "WuggyEvaluation",
]

Options = TypeVar("Options", bound=LikelihoodOptions)


@dataclass(frozen=True)
class _LikelihoodEvaluation(Evaluation[Options, Entry]):
    """Pairs of sequences or recordings."""

    what = "pairs"

    def items(self) -> Sequence[Entry | BadItem]:
        """Read the pairs."""
        return [
            BadItem(entry.id, entry.source, entry.error) if isinstance(entry, BadPair) else entry
            for entry in self.read()
        ]

    @abstractmethod
    def read(self) -> Iterable[Entry]:
        """Read the pairs, and what can't be used."""

    @property
    def has_speech(self) -> bool:
        """Whether there are recordings, which need the tokenizer."""
        return True

    @property
    def counts_context(self) -> bool:
        """Whether the tokens of the context count."""
        return False

    # A property, because a run on text uses no tokenizer.
    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model, and the tokenizer for recordings."""
        return ("tokenizer", "language model") if self.has_speech else ("language model",)

    def facts(self) -> dict[str, Any]:
        """Which tokens count."""
        return {
            "marker": "counted" if self.options.count_marker else "given",
            "counted units": self.options.score_units,
        }

    @contextmanager
    def load(self) -> Iterator[Measure[Entry]]:
        """Load the language model, and the tokenizer where there are recordings. Raises CheckpointError."""
        options = self.options
        speech = options if isinstance(options, SpeechPairsOptions) else None
        counted = CountedTokens(
            marker=options.count_marker, context=self.counts_context, prosody=options.score_units == "all"
        )
        yield partial(
            _measure,
            PairScorer.load(
                options.checkpoint,
                speech=self.has_speech,
                counted=counted,
                expressive=options.expressive,
                device=options.device,
                dtype=options.dtype,
                batch_seconds=speech.batch_seconds if speech else None,
                workers=speech.workers if speech else 0,
            ),
        )


@dataclass(frozen=True)
class PairsEvaluation(_LikelihoodEvaluation[PairsOptions]):
    """Pairs of a table."""

    def read(self) -> Iterable[Entry]:
        """Read the pairs of the table."""
        return read_pairs(self.options.path)

    @property
    def has_speech(self) -> bool:
        """No: units are in the table."""
        return False

    @property
    def counts_context(self) -> bool:
        """Whether the tokens of the column `given` count."""
        return self.options.normalize == "whole"

    def facts(self) -> dict[str, Any]:
        """Which tokens count."""
        return {**super().facts(), "normalized over": self.options.normalize}


@dataclass(frozen=True)
class _ZeroSpeechEvaluation(_LikelihoodEvaluation[ZeroSpeechOptions]):
    """Pairs of a folder of ZeroSpeech."""

    benchmark: ClassVar[Benchmark]

    def read(self) -> Iterable[Entry]:
        """Read the pairs of `gold.csv`, and for a submission the other WAV files."""
        options = self.options
        entries, without_gold = read_parts(
            options.path, self.benchmark, text=options.text, all_files=options.submission is not None
        )
        if without_gold and not options.submission:
            notify(f"{', '.join(map(str, without_gold))}: no gold.csv, so left out")
        return entries

    @property
    def has_speech(self) -> bool:
        """Whether the WAV files are read."""
        return not self.options.text

    def facts(self) -> dict[str, Any]:
        """Which tokens count, and whether the benchmark is read as speech or text."""
        return {**super().facts(), "read as": "speech" if self.has_speech else "text"}

    def finish(self, records: Sequence[Record]) -> None:
        """Write the submission files: the mean log-likelihood of each WAV file that has a score."""
        if self.options.submission is None:
            return
        for part in dict.fromkeys(record["set"] for record in records if "error" not in record):
            path = self.options.submission / self.benchmark.submission.format(part=part)
            path.parent.mkdir(parents=True, exist_ok=True)
            with LineWriter(path) as writer:
                for record in records:
                    if record.get("set") == part:
                        for scored in (*record["good"], *record["bad"]):
                            writer.write_text(f"{scored['name']} {scored['mean']!r}")


@dataclass(frozen=True)
class WuggyEvaluation(_ZeroSpeechEvaluation):
    """Words and non-words."""

    options: WuggyOptions
    benchmark = LEXICAL


@dataclass(frozen=True)
class ProsauditEvaluation(_ZeroSpeechEvaluation):
    """Sentences with pauses where they are natural, and where they are not."""

    options: ProsauditOptions
    benchmark = PROSODIC


@dataclass(frozen=True)
class BlimpEvaluation(_ZeroSpeechEvaluation):
    """Sentences, as ZeroSpeech's WAV files or texts, or as BLiMP's own JSONL."""

    options: BlimpOptions
    benchmark = SYNTACTIC

    def read(self) -> Iterable[Entry]:
        """Read the pairs. Raises OptionError for a submission of JSONL."""
        if not self._is_jsonl:
            return super().read()
        if self.options.submission:
            raise OptionError("needs ZeroSpeech's WAV files, not JSONL", "--submission")
        return read_blimp(self.options.path)

    @property
    def has_speech(self) -> bool:
        """Whether the WAV files are read."""
        return not self.options.text and not self._is_jsonl

    def facts(self) -> dict[str, Any]:
        """Which tokens count, and which of the two sets it is."""
        return {**super().facts(), "set": "BLiMP" if self._is_jsonl else "sBLIMP"}

    @property
    def _is_jsonl(self) -> bool:
        return bool(blimp_files(self.options.path))


@dataclass(frozen=True)
class StoryclozeEvaluation(_LikelihoodEvaluation[StoryclozeOptions]):
    """Stories and two endings of each. The other task has an evaluation of the same class."""

    def read(self) -> Iterable[Entry]:
        """Read the stories in all directions for which there are files, or in those of --direction."""
        options = self.options
        return read_stories(options.path, options.task, options.directions or None)

    @property
    def has_speech(self) -> bool:
        """Whether there are WAV files that are read."""
        return set(self.options.directions) != {"TT"} and has_speech(self.options.path)

    @property
    def counts_context(self) -> bool:
        """Whether the tokens of the story before its ending count."""
        return self.options.normalize == "whole"

    def facts(self) -> dict[str, Any]:
        """Which tokens count."""
        layout, normalize = story_layout(self.options.path), self.options.normalize
        over = f"{normalize} (recordings: whole)" if layout == "whole stories" else normalize
        return {**super().facts(), "normalized over": over, "layout": layout}


@dataclass(frozen=True)
class SalmonEvaluation(_LikelihoodEvaluation[SalmonOptions]):
    """Recordings with and without a change."""

    def read(self) -> Iterable[Entry]:
        """Read the items of all parts."""
        return read_salmon(self.options.path)


def _measure(
    scorer: PairScorer, entries: Iterable[Entry]
) -> Generator[tuple[Entry, Outcome[Record]], None, None]:
    for scored in scorer.score_stream(entries):
        yield scored.entry, Outcome.of(scored.to_record)
