from pathlib import Path

from spiritlm_cli.jobs.options.merge import MergeOptions


def test_base_is_the_one_that_the_adapter_names() -> None:
    assert MergeOptions(adapter=Path("adapter"), output=Path("out")).base is None
