from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.jobs.options.token_files import check_token_files, has_recordings


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


def test_has_recordings(tmp_path: Path) -> None:
    assert has_recordings(tmp_path)
    for name, content, expected in (
        ("a.tsv", "id\taudio\ttext\n", True),
        ("b.tsv", "a\t[SPEECH][Hu1]\n", False),
        ("c.txt", "id\taudio\ttext\n", False),
        ("d.jsonl.gz", "", True),
    ):
        (tmp_path / name).write_text(content)
        assert has_recordings(tmp_path / name) == expected
    assert has_recordings("gone.csv")
    assert not has_recordings("-")
