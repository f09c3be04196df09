"""Options of `spiritlm evaluate perplexity`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, language_model_dtype_option
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart
from spiritlm_cli.jobs.options.shared import Dtype, batch_seconds_option, workers_option
from spiritlm_cli.jobs.options.token_files import check_token_files
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class PerplexityOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of `spiritlm evaluate perplexity`."""

    task: ClassVar[str] = "perplexity"

    sources: tuple[str, ...] = option(
        (),
        "Files of token lines, or of text (--text).",
        metavar="FILE|-",
        argument=True,
        reads=True,
        group="input",
    )
    text: bool = option(
        False, "Lines are plain text, without ids: brackets and backslashes have no meaning.", group="input"
    )
    manifest: Path | None = option(
        None,
        "Clips to tokenize: TSV or CSV with a header line, JSONL, or Kaldi wav.scp. Fields: id, audio, start, end.",
        metavar="FILE|-",
        reads=True,
        group="input",
    )
    dtype: Dtype | None = language_model_dtype_option()
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if a file does not exist."""
        super().check()
        if self.sources and self.manifest:
            raise OptionError("both files and --manifest are given; give one of them", "FILE")
        if not (self.sources or self.manifest):
            raise OptionError("give files of token lines or text, or --manifest", "FILE")
        if self.text and not self.sources:
            raise OptionError("is for files of text", "--text")
        check_token_files(self.sources, "give text in a file")
        if self.manifest and str(self.manifest) != "-":
            self.manifest.stat()
