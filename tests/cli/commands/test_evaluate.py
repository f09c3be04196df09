def test_help_lists_the_benchmarks(spiritlm):
    result = spiritlm("evaluate", "--help")
    assert result.exit_code == 0
    names = [
        line.split()[0]
        for line in result.stdout.partition("Commands:")[2].partition("\n\n")[0].splitlines()
        if line
    ]
    tasks = [
        "resynthesis",
        "units",
        "abx",
        "asr",
        "tts",
        "pairs",
        "wuggy",
        "blimp",
        "prosaudit",
        "storycloze",
        "topic-storycloze",
        "salmon",
    ]
    assert [name for name in names if name in tasks] == tasks
    assert names[-1] == "report"
