"""Options of `spiritlm doctor`."""

from dataclasses import dataclass

from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """Options of `spiritlm doctor`."""

    model: str = option(
        "nano",
        "Checkpoint to test: nano (part of the package), or a folder. A Hugging Face repository is tested if it is in "
        "the cache; nothing is downloaded.",
        metavar="nano|FOLDER|HF-REPO",
        group="model",
    )
    json: bool = option(False, "Print one JSON object in place of the report.", group="output")
