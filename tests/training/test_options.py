import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import check_limits, flag_of, spec_of
from spiritlm_cli.training import options
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.options import LoopOptions
from spiritlm_cli.training.vocoder_options import VocoderOptions

KINDS = [LanguageModelOptions, VocoderOptions] + [
    kind for kind in vars(options).values() if isinstance(kind, type) and issubclass(kind, LoopOptions)
]


def test_import_loads_no_torch() -> None:
    code = "import sys, spiritlm_cli.training.options; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_has_a_sentence_as_its_help(kind: type[LoopOptions]) -> None:
    for field in dataclasses.fields(kind):
        text = spec_of(field).help
        assert text.endswith("."), field.name
        assert text[0].isupper() or text.startswith(("auto,", "linear")), field.name


@pytest.mark.parametrize("kind", KINDS)
def test_each_option_has_its_own_flag(kind: type[LoopOptions]) -> None:
    flags = [flag_of(field) for field in dataclasses.fields(kind)]
    assert len(flags) == len(set(flags))
    assert {"--output", "--resume", "--overwrite", "--seed", "--save-every", "--device", "--bf16"} <= set(
        flags
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_number_has_a_minimum(kind: type[LoopOptions]) -> None:
    for field in dataclasses.fields(kind):
        if field.type in (int, float):
            assert spec_of(field).minimum is not None, field.name


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (options.HubertOptions, {"heads": 3}, "is 3, which doesn't divide the width of 256"),
        (options.HubertOptions, {"dim": 24, "heads": 4}, "is 24, which is no multiple of 16"),
        (options.StyleOptions, {"heads": 3}, "is 3, which doesn't divide the width of 128"),
        (LanguageModelOptions, {"heads": 3}, "is 3, which doesn't divide the width of 256"),
        (LanguageModelOptions, {"dim": 12, "heads": 4}, "heads of a width of 3, which must be even"),
    ],
)
def test_check_refuses_sizes_that_make_no_network(
    kind: type[LoopOptions], changes: dict[str, int], message: str
) -> None:
    required = {"output": Path("new"), "manifest": Path("clips.tsv")}
    required |= {"labels": Path("labels.txt")} if kind is options.HubertOptions else {}
    required |= {"units": Path("units.jsonl")} if kind is LanguageModelOptions else {}
    kind(**required).check()  # type: ignore[attr-defined]
    with pytest.raises(OptionError, match=message):
        kind(**required, **changes).check()  # type: ignore[attr-defined]


def test_steps_of_0_are_a_usage_error() -> None:
    with pytest.raises(OptionError, match="0"):
        check_limits(options.PitchOptions(output=Path("new"), manifest=Path("clips.tsv"), batch=0))


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (
            options.PitchOptions,
            {"resume": True, "overwrite": True},
            "--overwrite: can't be given with --resume",
        ),
        (
            LanguageModelOptions,
            {"resume": True, "overwrite": True},
            "--overwrite: can't be given with --resume",
        ),
        (options.HubertOptions, {}, "needs either --labels, or --teacher"),
        (options.HubertOptions, {"labels": Path("l"), "teacher": Path("t")}, "needs either"),
        (options.HubertOptions, {"labels": Path("l"), "anchors": Path("a")}, "--anchors: needs --teacher"),
        (
            VocoderOptions,
            {"units": Path("u"), "speakers": "ann, ann"},
            "--speakers: ann, ann has a name twice",
        ),
        (LanguageModelOptions, {"manifest": Path("m")}, "--manifest: needs --units"),
        (LanguageModelOptions, {"phones": Path("p")}, "--phones: needs --manifest"),
        (LanguageModelOptions, {"random_words": 0.5}, "--random-words: is for unit selection; give --phones"),
        (LanguageModelOptions, {"base": "nano", "dim": 512}, "--dim: is for a new model, not with --from"),
        (LanguageModelOptions, {"init": "mean"}, "--init: is for a model that is named by --from"),
    ],
)
def test_check_refuses_options_that_contradict_each_other(
    kind: type[LoopOptions], changes: dict[str, object], message: str
) -> None:
    manifest = {} if kind is LanguageModelOptions else {"manifest": Path("clips.tsv")}
    with pytest.raises(OptionError) as error:
        kind(output=Path("new"), **(manifest | changes)).check()  # type: ignore[arg-type]
    assert message in f"{error.value.option}: {error.value}"
