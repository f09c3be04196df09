import math

import pytest

from spiritlm_cli.checkpoints import find_checkpoint

GREEDY = ("--greedy", "--max-new-tokens", "4")
PROMPT = "[TEXT]The old man"


def test_lines_keep_their_order_and_ids(spiritlm, model):
    result = spiritlm("generate", *model, *GREEDY, stdin=f"a\t{PROMPT}\n[Hu1]\nb\t[Hu1]\n")
    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()
    assert first.startswith("a\t[TEXT]")
    assert second.startswith("[SPEECH][")
    assert third == f"b\t{second}"


@pytest.mark.parametrize(("to", "marker"), [("speech", "[SPEECH]"), ("text", "[TEXT]")])
def test_what_comes_out_can_be_chosen(spiritlm, model, to, marker):
    result = spiritlm("generate", *model, *GREEDY, "--to", to, "--prompt", PROMPT)
    assert result.stdout.startswith(marker)


def test_echo_puts_the_prompt_first(spiritlm, model):
    added = spiritlm("generate", *model, *GREEDY, "--prompt", PROMPT).stdout
    both = spiritlm("generate", *model, *GREEDY, "--echo", "--prompt", PROMPT).stdout
    assert both == PROMPT + added.removeprefix("[TEXT]")


def test_the_seed_decides_and_lines_beside_do_not(spiritlm, model):
    def drawn(stdin: str, seed: int) -> list[str]:
        return spiritlm(
            "generate", *model, "--max-new-tokens", "8", "--seed", str(seed), stdin=stdin
        ).stdout.splitlines()

    alone = drawn(f"b\t{PROMPT}\n", 1)
    assert drawn(f"a\t[Hu7]\nb\t{PROMPT}\n", 1)[1:] == alone
    assert drawn(f"b\t{PROMPT}\n", 2) != alone


def test_the_seed_that_was_drawn_is_shown_with_v(spiritlm, model):
    arguments = ("generate", *model, "--max-new-tokens", "8", "--prompt", PROMPT)
    shown = spiritlm(*arguments, "-v")
    seed = shown.stderr.removeprefix("spiritlm: seed ").strip()
    assert spiritlm(*arguments, "--seed", seed).stdout == shown.stdout


def test_samples_have_ids_of_their_own(spiritlm, model):
    result = spiritlm("generate", *model, *GREEDY, "--num-samples", "2", stdin=f"a\t{PROMPT}\n{PROMPT}\n")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["a#0", "a#1", "2#0", "2#1"]


def test_scores(spiritlm, model):
    result = spiritlm("generate", *model, "--score", stdin=f"a\t{PROMPT}\n[Hu1][Hu2]\n")
    named, plain = (line.split("\t") for line in result.stdout.splitlines())
    assert named[0] == "a"
    assert plain[1] == "3"
    assert math.isfinite(float(plain[0]))
    assert float(plain[0]) < 0


def test_scores_of_what_follows_something_given(spiritlm, model, tmp_path):
    (tmp_path / "given.txt").write_text("[TEXT]the cat\n[TEXT]a dog\n")
    lines = "a\t[SPEECH][Hu1][Hu2]\nb\t[SPEECH][Hu1][Hu2]\n"
    arguments = ("generate", *model, "--score", "--given", tmp_path / "given.txt")
    result = spiritlm(*arguments, stdin=lines)
    assert result.exit_code == 0, result.stderr
    one, other = (line.split("\t") for line in result.stdout.splitlines())
    assert (one[0], one[2], other[0]) == ("a", "3", "b")
    assert one[1] != other[1]
    assert float(one[3]) == pytest.approx(float(one[1]) / 3, abs=1e-5)
    for count, reason in ((1, "has more lines"), (3, "--given end before it")):
        result = spiritlm(*arguments, stdin="[SPEECH][Hu1]\n" * count)
        assert result.exit_code == 1
        assert reason in result.stderr
    assert spiritlm("generate", *model, "--given", "x.txt", stdin=lines).exit_code == 2


def test_a_bad_line_among_many_costs_its_score(spiritlm, model):
    lines = [f"{n}\t[SPEECH]{'[Hu5]' * (n % 7 + 1)}" for n in range(40)]
    lines[7], lines[23] = "7\t[Hu501]", "23\t[Hu01]"
    result = spiritlm("generate", *model, "--score", "--on-error", "skip", stdin="\n".join(lines) + "\n")
    assert result.exit_code == 1
    found = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in found] == [str(n) for n in range(40)]
    assert [n for n, line in enumerate(found) if line[1:] == [""]] == [7, 23]
    alone = spiritlm("generate", *model, "--score", stdin=lines[11] + "\n").stdout
    assert alone.splitlines()[0].split("\t") == found[11]


def test_scores_have_no_header(spiritlm, model, release_tree):
    header = f"#spiritlm 1 model=x tokenizer={find_checkpoint(str(release_tree)).fingerprint()}\n"
    result = spiritlm("generate", *model, "--score", stdin=f"{header}[Hu1][Hu2]\n")
    assert result.stdout.count("\n") == 1
    assert "#" not in result.stdout


def test_a_bad_line_costs_itself(spiritlm, model, tmp_path):
    result = spiritlm(
        "generate", *model, *GREEDY, "--on-error", "skip", "--errors", tmp_path / "bad",
        stdin="a\t[Hu01]\nb\t[Hu501]\nc\t[Hu1]\n",
    )  # fmt: skip
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:2] == ["a\t", "b\t"]
    assert lines[2].startswith("c\t[SPEECH]")
    assert "b: line 2: [Hu501]" in result.stderr
    assert "[Hu500]" in result.stderr
    assert [line.split("\t")[0] for line in (tmp_path / "bad").read_text().splitlines()] == ["a", "b"]


def test_the_first_bad_line_stops_it(spiritlm, model):
    result = spiritlm("generate", *model, *GREEDY, stdin="a\t[Hu1]\nb\t[Hu01]\nc\t[Hu1]\n")
    assert result.exit_code == 1
    assert result.stdout.startswith("a\t")
    assert result.stdout.count("\n") == 1
    assert result.stderr.startswith("spiritlm: line 2, column 3: ")


def test_tokens_of_another_tokenizer_are_refused(spiritlm, model):
    result = spiritlm("generate", *model, stdin="#spiritlm 1 model=x tokenizer=0\n[Hu1]\n")
    assert result.exit_code == 1
    assert result.stderr.startswith("spiritlm: stdin: these are tokens of x")
