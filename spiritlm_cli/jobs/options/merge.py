"""Options of `spiritlm models merge`."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """Options of `spiritlm models merge`."""

    adapter: Path = option(
        ...,
        "Folder of the adapter, as `train lm --lora` or peft writes it.",
        metavar="ADAPTER",
        argument=True,
        group="input",
    )
    output: Path = option(
        ..., "Folder to make; new, or empty.", "-o", "--output", metavar="FOLDER", group="output"
    )
    base: str | None = option(
        None,
        "Model that the adapter was trained on: nano, a folder or a Hugging Face repository (default: the one that "
        "the adapter names).",
        "--from",
        metavar="MODEL",
        group="input",
    )
