from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.convert import ConvertOptions, parse_bytes


@pytest.mark.parametrize(
    ("text", "count"), [("4GB", 4 * 10**9), ("1.5 mb", 1_500_000), ("7", 7), ("2k", 2000)]
)
def test_parse_bytes(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "4GiB", "4 4"])
def test_parse_bytes_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(OptionError, match="4GB or 500MB"):
        parse_bytes(text)


def test_shards_have_four_gigabytes_by_default() -> None:
    assert ConvertOptions(model="m", output=Path("o")).shard_size == parse_bytes("4GB")
