"""Options of `spiritlm doctor`."""

from dataclasses import dataclass

from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """Options of `spiritlm doctor`."""

    model: str = option(
        "nano",
        "Checkpoint to test: nano, a model of `spiritlm models list` that is here, a folder, or a Hugging Face "
        "repository that is in the cache. Nothing is downloaded.",
        metavar="NAME|FOLDER|HF-REPO",
        group="model",
    )
    json: bool = option(False, "Print one JSON object in place of the report.", group="output")
