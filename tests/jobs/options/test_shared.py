import os
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options import AlignOptions, GenerateOptions
from spiritlm_cli.jobs.options.shared import (
    ClipOptions,
    check_utf8,
    drawn_seed,
    parse_channel,
    parse_range,
    parse_shard,
)


def test_parse_shard() -> None:
    assert (parse_shard("0/8"), parse_shard("7/8")) == ((0, 8), (7, 8))
    for text in ("1", "2/2", "-1/2", "a/b", "1/", "/2"):
        with pytest.raises(OptionError, match="first of 8 parts"):
            parse_shard(text)


def test_parse_range() -> None:
    assert (parse_range("10:30"), parse_range("1:1")) == ((10, 30), (1, 1))
    for text in ("10", "0:3", "5:2", ":3", "a:b"):
        with pytest.raises(OptionError, match="10:30"):
            parse_range(text)


def test_parse_channel() -> None:
    assert (parse_channel("mix"), parse_channel("1")) == ("mix", 1)
    with pytest.raises(OptionError, match="left"):
        parse_channel("left")


def test_drawn_seed_keeps_a_given_one() -> None:
    assert drawn_seed(0) == 0
    assert drawn_seed(None) != drawn_seed(None)


def test_check_files_names_what_is_not_there(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="gone"):
        ClipOptions(manifest=gone).check_files("skip")
    with pytest.raises(FileNotFoundError, match="gone"):
        ClipOptions(files_from=gone).check_files("skip")
    with pytest.raises(AudioError, match="gone: no such file"):
        ClipOptions(audio=(gone,)).check_files("fail")
    ClipOptions(audio=(gone,)).check_files("skip")
    ClipOptions(audio=("-",)).check_files("fail")


def test_check_utf8_refuses_other_bytes_of_a_command_line() -> None:
    check_utf8("--prompt", None, "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    with pytest.raises(OptionError, match="is not UTF-8 text"):
        check_utf8("--stop", "a", os.fsdecode(b"a\xff"))
    for options in (
        GenerateOptions(prompt="a\udcff"),
        GenerateOptions(stop=("a\udcff",)),
        AlignOptions(audio=("-",), text="a\udcff", format="ctm"),
    ):
        with pytest.raises(OptionError, match="is not UTF-8 text"):
            options.check()
