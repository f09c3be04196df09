def test_help_lists_the_benchmarks(spiritlm):
    result = spiritlm("evaluate", "--help")
    assert result.exit_code == 0
    names = [
        line.split()[0]
        for line in result.stdout.partition("Commands:")[2].partition("\n\n")[0].splitlines()
        if line
    ]
    assert names == ["resynthesis", "asr", "tts", "pairs", "wuggy", "blimp", "report"]
