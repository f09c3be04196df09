import dataclasses
import subprocess
import sys

import pytest

from spiritlm_cli.options import flag_of, spec_of
from spiritlm_cli.training import options
from spiritlm_cli.training.options import LoopOptions

KINDS = [kind for kind in vars(options).values() if isinstance(kind, type) and issubclass(kind, LoopOptions)]


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
