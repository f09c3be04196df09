"""Pairs of continuations of a prompt, of which one is preferred: how they are read and drawn."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.console import one_line
from spiritlm_cli.errors import CheckpointError, ManifestError, SpiritLMError, TokenError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.row import parse_json_fields
from spiritlm_cli.text_files import numbered_lines
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Line
from spiritlm_cli.training.epochs import Epochs
from spiritlm_cli.training.left_out import LeftOut


@dataclass(frozen=True)
class PreferencePair:
    """A prompt and two continuations as token ids. chosen: the preferred one."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    def __len__(self) -> int:
        """Number of tokens of the prompt and its longer continuation."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


def read_pairs(paths: Iterable[Path], vocabulary: Vocabulary, context: int) -> list[PreferencePair]:
    """Read the pairs of JSONL files, plain or gzipped.

    A line that can't be used, or has more than `context` tokens, is left out and reported on stderr with the reason.
    Raises ManifestError for a file that can't be read, and if no line can be used.
    """
    pairs: list[PreferencePair] = []
    left_out = LeftOut("lines")
    for path in paths:
        for number, line in numbered_lines(path):
            where = f"{path}: line {number}"
            try:
                if isinstance(line, ManifestError):
                    raise line
                if line.strip():
                    pairs.append(_parse(line, where, vocabulary, context))
            except SpiritLMError as error:
                left_out.add(one_line(str(error)))
    left_out.finish()
    if not pairs:
        raise ManifestError(f"{', '.join(map(str, paths))}: there are no pairs that can be used")
    return pairs


def _parse(text: str, where: str, vocabulary: Vocabulary, context: int) -> PreferencePair:
    """Parse a line. where: file and line, for errors. Raises ManifestError."""
    fields = parse_json_fields(text, where)
    if isinstance(fields.get("id"), str):
        where += f" ({fields['id']})"
    prompt, chosen, rejected = (_tokens(fields, name, where) for name in ("prompt", "chosen", "rejected"))
    complete = fields.get("complete", True)
    if not isinstance(complete, bool):
        raise ManifestError(f"{where}: complete is true or false")
    end = list(vocabulary.eos_ids[:1]) if complete else []
    prompts, continuations = [], []
    for name, continuation in (("chosen", chosen), ("rejected", rejected)):
        if not continuation.sequence.spans or continuation.opens:
            raise ManifestError(f"{where}: {name} ends without tokens")
        try:
            before, ids = vocabulary.encode_continuation(prompt, continuation.sequence)
        except TokenError as error:
            raise ManifestError(f"{where}: {error}") from None
        prompts.append(before)
        continuations.append([*ids, *end])
    if prompts[0] != prompts[1]:
        raise ManifestError(
            f"{where}: the prompt ends in a marker, and one continuation is of another modality"
        )
    pair = PreferencePair(prompts[0], *continuations)
    if pair.chosen == pair.rejected:
        raise ManifestError(f"{where}: chosen and rejected are equal")
    if len(pair) > context:
        raise ManifestError(f"{where}: has {len(pair)} tokens, --context is {context}")
    return pair


def _tokens(fields: Mapping[str, Any], name: str, where: str) -> Line:
    """Parse the token line of a field. Raises ManifestError."""
    text = fields.get(name)
    if not isinstance(text, str):
        raise ManifestError(f"{where}: {name} is {'not text' if name in fields else 'missing'}")
    try:
        text.encode()
        return parse_line(text)
    except UnicodeEncodeError:
        raise ManifestError(f"{where}: {name} has half of a surrogate pair") from None
    except TokenError as error:
        raise ManifestError(f"{where}: {name}: {str(error).removeprefix('line 1, ')}") from None


class PairOrder:
    """Which pairs each micro-batch of a process has: all pairs once in an epoch, in a new order each time.

    The pairs of a step depend on the seed and on their number alone, not on how many processes share them.
    """

    def __init__(self, pairs: int, seed: int, batch: int, batches: int) -> None:
        """pairs: number of pairs. batch: of a micro-batch. batches: of a step, in all processes."""
        self._epochs = Epochs(pairs, seed, "pairs")
        self._batch, self._in_step = batch, batch * batches

    def indices(self, step: int, part: int) -> Iterator[int]:
        """Yield the indices of the pairs of a micro-batch. part: its number among those of all processes."""
        first = step * self._in_step + part * self._batch
        return map(self._epochs, range(first, first + self._batch))

    def state_dict(self) -> dict[str, int]:
        """What a resumed training must have too."""
        return {"pairs": self._in_step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Check a state. Raises CheckpointError if its training had another number of pairs in a step."""
        if state["pairs"] != self._in_step:
            raise CheckpointError(
                f"the training had {state['pairs']} pairs in a step, now it has {self._in_step}; resume it with a "
                f"--batch, --accumulate and number of processes whose product is {state['pairs']}"
            )
