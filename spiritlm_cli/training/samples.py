"""Continuations of prompts by a language model in training, at each of its checkpoints."""

from pathlib import Path

from spiritlm_cli.console import notify
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import write_text
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.text_files import bounded_lines, read_errors
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.writer import format_line
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.language_model_options import LanguageModelOptions


def read_prompts(path: Path) -> list[Line]:
    """Read token lines to continue. Raises ManifestError if there are none, TokenError for an invalid line."""
    prompts = []
    with read_errors(str(path)), path.open("rb") as stream:
        for line in read_lines(bounded_lines(stream)):
            if isinstance(line, BadLine):
                raise line.error
            if isinstance(line, Line) and (line.sequence.spans or line.opens):
                prompts.append(line)
    if not prompts:
        raise ManifestError(f"{path}: there are no tokens")
    return prompts


class Samples:
    """Continues prompts at checkpoints, with the same random numbers each time."""

    def __init__(self, options: LanguageModelOptions, evaluator: Evaluator, prompts: list[Line]) -> None:
        """Raises TokenError for a unit or a modality that the model does not have."""
        self._options, self._evaluator, self._prompts = options, evaluator, prompts
        for line in prompts:
            evaluator.model.vocabulary.encode(line.sequence, line.opens)

    def after(self, step: int) -> dict[str, float]:
        """Write the continuations after `step` steps, if the weights are saved then. Returns no values."""
        if step % self._options.save_every and step != self._options.steps:
            return {}
        sampling = Sampling(seed=self._options.seed)
        with self._evaluator.mode():
            stream = self._evaluator.language_model().generate_stream(
                self._evaluator.own(list(enumerate(self._prompts, 1))),
                lambda item: GenerationRequest(item[1], "any", sampling, str(item[0]), overflow="cut"),
            )
            lines = []
            for (_, line), outcome in stream:
                added = outcome.result().sequence.spans
                whole = Sequence.of((*line.sequence.spans, *added))
                lines.append(format_line(Line(whole, line.id, prompt=line.sequence)) + "\n")
        path = self._options.output / "training" / "samples" / f"{step}.txt"
        lines = self._evaluator.merge(lines)
        if self._evaluator.is_main:
            write_text(path, "".join(lines))
            notify(f"lm: step {step}, {len(lines)} samples in {path}")
        return {}
