"""`evaluate pairs`, `wuggy` and `blimp`: which of two sequences is more likely."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import notify
from spiritlm_cli.errors import OptionError
from spiritlm_cli.evaluation.blimp import blimp_files, read_blimp
from spiritlm_cli.evaluation.pair_files import read_pairs
from spiritlm_cli.evaluation.pair_scoring import PairScorer
from spiritlm_cli.evaluation.pairs import BadPair, Entry
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.zerospeech import Benchmark, read_parts
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_pairs import (
    BlimpOptions,
    PairsOptions,
    WuggyOptions,
    ZeroSpeechOptions,
)
from spiritlm_cli.jobs.output import LineWriter

__all__ = ["BlimpEvaluation", "PairsEvaluation", "WuggyEvaluation"]


@dataclass(frozen=True)
class PairsEvaluation(Evaluation[PairsOptions, Entry]):
    """Pairs of a table."""

    what = "pairs"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model, and the tokenizer where there are clips."""
        return ("tokenizer", "language model") if self._is_speech else ("language model",)

    def items(self) -> Sequence[Entry | BadItem]:
        """Read the pairs of the table."""
        return _entries(read_pairs(self.options.path))

    @contextmanager
    def load(self) -> Iterator[Measure[Entry]]:
        """Load the language model, and the tokenizer where there are clips. Raises CheckpointError."""
        options = self.options
        clips = options if isinstance(options, ZeroSpeechOptions) else None
        yield partial(
            _measure,
            PairScorer.load(
                options.checkpoint,
                speech=self._is_speech,
                expressive=options.expressive,
                device=options.device,
                dtype=options.dtype,
                batch_seconds=clips.batch_seconds if clips else None,
                workers=clips.workers if clips else 0,
            ),
        )

    @property
    def _is_speech(self) -> bool:
        """Whether the candidates are clips."""
        return False


@dataclass(frozen=True)
class _ZeroSpeechEvaluation(PairsEvaluation):
    """Pairs of a folder of ZeroSpeech 2021."""

    options: ZeroSpeechOptions

    benchmark: ClassVar[Benchmark]

    def items(self) -> Sequence[Entry | BadItem]:
        """Read the pairs of `gold.csv`, and for a submission the other WAV files."""
        options = self.options
        entries, without_gold = read_parts(
            options.path, self.benchmark, text=options.text, all_files=options.submission is not None
        )
        if without_gold and not options.submission:
            notify(f"{', '.join(map(str, without_gold))}: no gold.csv, so left out")
        return _entries(entries)

    def facts(self) -> dict[str, Any]:
        """Whether words are speech or text."""
        return {"read as": "speech" if self._is_speech else "text"}

    def finish(self, records: Sequence[Record]) -> None:
        """Write the submission files: the mean log-likelihood of each WAV file that has a score."""
        if self.options.submission is None:
            return
        folder = self.options.submission / self.benchmark
        folder.mkdir(parents=True, exist_ok=True)
        for part in dict.fromkeys(record["set"] for record in records if "error" not in record):
            with LineWriter(folder / f"{part}.txt") as writer:
                for record in records:
                    if record.get("set") == part:
                        for scored in (*record["good"], *record["bad"]):
                            writer.write_text(f"{scored['name']} {scored['mean']!r}")

    @property
    def _is_speech(self) -> bool:
        return not self.options.text


@dataclass(frozen=True)
class WuggyEvaluation(_ZeroSpeechEvaluation):
    """Words and non-words."""

    options: WuggyOptions
    benchmark = "lexical"


@dataclass(frozen=True)
class BlimpEvaluation(_ZeroSpeechEvaluation):
    """Sentences, as ZeroSpeech's WAV files or as BLiMP's own JSONL."""

    options: BlimpOptions
    benchmark = "syntactic"

    def items(self) -> Sequence[Entry | BadItem]:
        """Read the pairs. Raises OptionError for a submission of JSONL."""
        if not blimp_files(self.options.path):
            return super().items()
        if self.options.submission:
            raise OptionError("needs ZeroSpeech's WAV files, not JSONL", "--submission")
        return _entries(read_blimp(self.options.path))

    @property
    def _is_speech(self) -> bool:
        return not self.options.text and not blimp_files(self.options.path)


def _entries(entries: Iterable[Entry]) -> list[Entry | BadItem]:
    return [
        BadItem(entry.id, entry.source, entry.error) if isinstance(entry, BadPair) else entry
        for entry in entries
    ]


def _measure(
    scorer: PairScorer, entries: Iterable[Entry]
) -> Generator[tuple[Entry, Outcome[Record]], None, None]:
    for scored in scorer.score_stream(entries):
        yield scored.entry, Outcome.of(scored.to_record)
