"""Options of `spiritlm inspect diff`."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.inspect import InputOptions, check_input
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import (
    Channel,
    Dtype,
    F0Method,
    ModelOptions,
    channel_option,
    f0_option,
    parse_channel,
    speech_dtype_option,
)
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class InspectDiffOptions(ModelOptions):
    """Options of `spiritlm inspect diff`."""

    inputs: tuple[str, ...] = option(
        (),
        "What to compare: two files of token lines, two audio files or folders, or one of these with --manifest, with "
        "--against, or with another option of B.",
        metavar="A [B]",
        argument=True,
        path=True,
        group="input",
    )
    manifest: str | None = option(
        None,
        "List of clips: B, or if there is no file A, what is compared under two settings.",
        metavar="FILE|-",
        path=True,
        group="input",
    )
    channel: Channel = channel_option()
    f0: F0Method = f0_option()
    dtype: Dtype = speech_dtype_option()
    against: str | None = option(
        None,
        "Checkpoint of B, as --model.",
        metavar="NAME|FOLDER|HF-REPO",
        default_text="that of A",
        group="task",
    )
    against_channel: Channel | None = option(
        None, "Channel of B.", metavar="mix|N", parse=parse_channel, default_text="that of A", group="task"
    )
    against_f0: F0Method | None = option(
        None, "F0 (pitch) tracker of B.", default_text="that of A", group="task"
    )
    against_dtype: Dtype | None = option(
        None, "Data type of the networks of B.", default_text="that of A", group="task"
    )
    against_device: str | None = option(
        None, "Device of B.", metavar="auto|cpu|cuda[:N]|mps", default_text="that of A", group="task"
    )
    context: int = option(
        3, "Equal units to show before and after what differs.", "-U", "--context", metavar="N", minimum=0,
        group="output",
    )  # fmt: skip
    brief: bool = option(False, "Print the totals only, not each difference.", group="output")
    as_json: bool = option(False, "Print one JSON object with the totals.", "--json", group="output")
    items: Path | None = option(
        None,
        "Also write the differences of each clip or line to this file, as JSONL.",
        metavar="FILE",
        group="output",
        writes="text",
    )
    html: Path | None = option(
        None,
        "Also write an HTML page with both sides of what differs: their units above each other, and their sound.",
        metavar="FILE",
        writes="text",
        group="output",
    )

    @property
    def side_a(self) -> InputOptions:
        """The inputs A, and how they are tokenized."""
        manifest = None if self.inputs else self.manifest
        return self._side(
            self.inputs[:1], manifest, self.model, self.channel, self.f0, self.dtype, self.device
        )

    @property
    def side_b(self) -> InputOptions:
        """The inputs B, which are those of A where there is one input, and how they are tokenized."""
        return self._side(
            () if self.manifest else self.inputs[-1:],
            self.manifest,
            self.against or self.model,
            self.channel if self.against_channel is None else self.against_channel,
            self.against_f0 or self.f0,
            self.against_dtype or self.dtype,
            self.against_device or self.device,
        )

    def _side(
        self,
        inputs: tuple[str, ...],
        manifest: str | None,
        model: str | None,
        channel: Channel,
        f0: F0Method,
        dtype: Dtype,
        device: str,
    ) -> InputOptions:
        return InputOptions(
            inputs=inputs,
            manifest=manifest,
            units=self.units,
            model=model,
            channel=channel,
            f0=f0,
            dtype=dtype,
            device=device,
        )

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        named = [*self.inputs, *([self.manifest] if self.manifest else [])]
        if len(named) > 2:
            raise OptionError(f"compares two inputs, not {len(named)}", "A [B]")
        if not named:
            raise OptionError("give two files, or one with --against", "A [B]")
        if len(named) == 1 and self.side_a == self.side_b:
            raise OptionError("give a second file, or --against or another option of B", "A [B]")
        if named[0] == "-" and named[-1] == "-":
            raise OptionError("stdin can be read once only", "A [B]")
        for path in self.inputs:
            check_input(path)
        if self.manifest not in (None, "-"):
            Path(str(self.manifest)).stat()
        check_paths(self)
