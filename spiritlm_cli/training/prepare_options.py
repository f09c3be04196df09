"""Options of `spiritlm train prepare`. No torch, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class CorpusOptions:
    """The data of a language model."""

    manifest: Path | None = option(
        None, "Manifest of clips; those with text and without word times are aligned.", group="input"
    )
    units: Path | None = option(
        None, "JSONL of the clips' units, as `tokenize --format jsonl`.", group="input"
    )
    text: tuple[Path, ...] = option(
        (),
        "Text file, one document per line, or a folder of them; may be repeated, and gzipped.",
        metavar="FILE",
        group="input",
    )
    lines: tuple[Path, ...] = option(
        (),
        "File of token lines, used as training sequences unchanged, or a folder of them; may be repeated, and gzipped.",
        metavar="FILE",
        group="input",
    )

    def check_clips(self) -> None:
        """Raise OptionError if there is only one of manifest and units."""
        if bool(self.manifest) != bool(self.units):
            raise OptionError("needs --units, and the other way round", "--manifest")


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(CorpusOptions):
    """Prepare data for the language model once: a folder of Arrow files that `train lm --data` maps into memory."""

    align: bool = option(
        True,
        "Align the clips without word times; without it, they give speech and tasks only.",
        group="input",
    )
    output: Path = option(
        ..., "Folder to write.", "-o", "--output", metavar="FOLDER", group="output", writes="folder"
    )
    resume: bool = option(
        False, "Continue after an interruption; files that are done are kept.", group="output"
    )
    overwrite: bool = option(False, "Replace what was prepared in --output before.", group="output")
    workers: int | None = option(
        None, "Processes that align clips and check token lines (default: one for each CPU).",
        group="execution", minimum=1,
    )  # fmt: skip

    def check(self) -> None:
        """Raise OptionError if there is nothing to prepare, or only one of manifest and units."""
        self.check_clips()
        if not (self.manifest or self.text or self.lines):
            raise OptionError("nothing to prepare: give --text, --lines, or --manifest with --units")
        if self.resume and self.overwrite:
            raise OptionError("can't be given with --resume", "--overwrite")
