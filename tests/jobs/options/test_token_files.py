from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.jobs.options.token_files import check_token_files


def test_files_of_token_lines_and_stdin_pass(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("[Hu1]\n")
    check_token_files([str(tmp_path / "a b.txt"), "-", None], "")


@pytest.mark.parametrize("text", ["Once upon a time", "[TEXT]Hello", "[Hu1][Hu2]", "x " * 3000])
def test_a_text_in_place_of_a_name_is_a_usage_error(text: str) -> None:
    with pytest.raises(OptionError, match=r"no file has this name: .*; give --prompt") as raised:
        check_token_files([text], "give --prompt")
    assert raised.value.option == "FILE"


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
        check_token_files(["gone.txt"], "")


def test_audio_and_folders_name_the_remedy(tmp_path: Path, recording_file: Path) -> None:
    with pytest.raises(TokenError, match="audio, not token lines; try: spiritlm tokenize /"):
        check_token_files([str(recording_file)], "")
    with pytest.raises(TokenError, match="a folder; name the files"):
        check_token_files([str(tmp_path)], "")
