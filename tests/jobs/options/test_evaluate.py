from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_pairs import PairsOptions


@pytest.mark.parametrize(
    ("given", "option"), [({"output": Path("-")}, "--items"), ({"resume": True}, "--resume")]
)
def test_check(tmp_path: Path, given: dict[str, object], option: str) -> None:
    with pytest.raises(OptionError) as error:
        PairsOptions(path=tmp_path, **given).check()  # type: ignore[arg-type]
    assert error.value.option == option
