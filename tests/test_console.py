from spiritlm_cli.console import one_line


def test_one_line_removes_line_ends_and_control_characters():
    assert one_line("a\n b\x1b[31m") == "a b?[31m"
