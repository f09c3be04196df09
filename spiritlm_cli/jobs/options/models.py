"""Options of `spiritlm models list`, `path`, `pull`, `info` and `verify`."""

from dataclasses import dataclass

from spiritlm_cli.options import option


def _json_option() -> bool:
    value: bool = option(False, "Print one JSON object in place of the table.", group="output")
    return value


@dataclass(frozen=True, kw_only=True)
class ModelListOptions:
    """Options of `spiritlm models list`."""

    json: bool = _json_option()


@dataclass(frozen=True, kw_only=True)
class ModelPathOptions:
    """Options of `spiritlm models path`."""

    name: str = option(
        ..., "Name of a model, as `models list` has it.", metavar="NAME", argument=True, group="input"
    )


@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """Options of `spiritlm models pull`."""

    model: str = option(
        ...,
        "Name of a model, as `models list` has it, or a Hugging Face repository.",
        metavar="NAME|HF-REPO",
        argument=True,
        group="input",
    )
    revision: str | None = option(
        None, "Commit, tag or branch of the repository.", metavar="REVISION", group="input"
    )
    dry_run: bool = option(False, "Print what would be downloaded, and how much; download nothing.")


def _model_argument() -> str:
    value: str = option(
        ...,
        "Name of a model, as `models list` has it, a folder, or a Hugging Face repository.",
        metavar="NAME|FOLDER|HF-REPO",
        argument=True,
        group="input",
    )
    return value


@dataclass(frozen=True, kw_only=True)
class ModelInfoOptions:
    """Options of `spiritlm models info`."""

    model: str = _model_argument()
    json: bool = _json_option()


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Options of `spiritlm models verify`."""

    model: str = _model_argument()
