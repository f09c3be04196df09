import math
import os
import re
import subprocess

import pytest
import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.vocoder.vocoder import Vocoder

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
    assert both == PROMPT + added, "the marker, repeated, shows where it begins"


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
    seed = shown.stderr.splitlines()[0].removeprefix("spiritlm: seed ")
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


def test_a_bare_marker_opens_the_span(spiritlm, model):
    opened = spiritlm("generate", *model, *GREEDY, "--prompt", f"{PROMPT}[SPEECH]").stdout
    assert opened == spiritlm("generate", *model, *GREEDY, "--prompt", PROMPT, "--to", "speech").stdout
    assert spiritlm("generate", *model, *GREEDY, "--prompt", "[TEXT]").stdout.startswith("[TEXT]")


def test_echo_shows_where_the_continuation_begins(spiritlm, model):
    arguments = ("generate", *model, *GREEDY, "--echo")
    (spoken,) = spiritlm(*arguments, "--prompt", "[Hu1][Hu2]").stdout.splitlines()
    assert spoken.startswith("[SPEECH][Hu1][Hu2][SPEECH][")
    assert parse_line(spoken).split()[0] == parse_sequence("[Hu1][Hu2]")
    (other,) = spiritlm(*arguments, "--prompt", PROMPT, "--to", "speech").stdout.splitlines()
    assert other.startswith(f"{PROMPT}[SPEECH][")
    assert parse_line(other).split()[0] == parse_sequence(PROMPT)
    # what was echoed can be gone on with
    assert spiritlm("generate", *model, *GREEDY, "--prompt", spoken).exit_code == 0


@pytest.mark.parametrize("echo", [(), ("--echo",)])
def test_a_stream_is_what_comes_without(spiritlm, model, echo):
    lines = f"a\t{PROMPT}\n[Hu1]\nb\t[Hu501]\nc\t[TEXT]the cat[SPEECH]\n"
    arguments = ("generate", *model, "--max-new-tokens", "12", "--seed", "3", "--on-error", "skip", *echo)
    whole = spiritlm(*arguments, stdin=lines)
    streamed = spiritlm(*arguments, "--stream", stdin=lines)
    assert whole.exit_code == streamed.exit_code == 1
    if echo:
        found = [
            [parse_line(line).split() for line in result.stdout.splitlines()] for result in (streamed, whole)
        ]
        assert found[0] == found[1]
    else:
        assert streamed.stdout == whole.stdout
    # the last line says how long it took
    assert streamed.stderr.splitlines()[:-1] == whole.stderr.splitlines()[:-1]
    samples = (*arguments, "--num-samples", "2", "--to", "speech")
    streamed, whole = (spiritlm(*samples, *how, stdin=lines).stdout for how in (("--stream",), ()))
    assert [*map(parse_line, streamed.splitlines())] == [*map(parse_line, whole.splitlines())]


def test_tokens_are_streamed_as_they_are_made(programs, model):
    """The first is there while the last is not made: that would take the model some minutes."""
    command = [str(programs / "spiritlm"), "generate", *map(str, model), "--stream"]
    command += ["--prompt", "a\t[Hu1]", "--min-seconds", "3000", "--max-new-tokens", "4000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = b""
        while found.count(b"[") < 3:
            found += os.read(process.stdout.fileno(), 100)
        assert found.startswith(b"a\t[SPEECH][")
        assert b"\n" not in found
        process.kill()


def test_stop_and_sentence(spiritlm):
    # nano: what it says has words in it
    arguments = ("generate", "--prompt", "[TEXT]Once upon a time", "--seed", "1", "--max-new-tokens", "60")
    whole = spiritlm(*arguments).stdout.removeprefix("[TEXT]").rstrip("\n")
    first, _, _ = whole.partition(".")
    assert first != whole
    assert spiritlm(*arguments, "--sentence").stdout == f"[TEXT]{first}.\n"
    assert spiritlm(*arguments, "--stop", "~~~", "--stop", ".").stdout == f"[TEXT]{first}\n"


def test_seconds_of_speech(spiritlm):
    arguments = (
        "generate",
        "--prompt",
        "[TEXT]Once upon a time[SPEECH]",
        "--max-new-tokens",
        "400",
        "--seed",
        "1",
    )
    result = spiritlm(*arguments, "--min-seconds", "1.5", "--max-seconds", "2")
    timing = Vocoder.load("nano").duration_predictor
    units = [
        unit.id for unit in parse_sequence(result.stdout[:-1]).speech[0].units if unit.kind is Kind.HUBERT
    ]
    assert 1.5 <= timing.frames(torch.tensor(units)).sum().item() * timing.frame_seconds <= 2


def test_a_prompt_that_is_too_long(spiritlm, model):
    lines = f"a\t{PROMPT}\nb\t{'[Hu5]' * 5000}\nc\t{PROMPT}\n"
    refused = spiritlm("generate", *model, *GREEDY, "--on-error", "skip", stdin=lines)
    assert refused.exit_code == 1
    assert refused.stdout.splitlines()[1] == "b\t"
    assert "b: line 2: the prompt has 5002 tokens" in refused.stderr
    cut = spiritlm("generate", *model, *GREEDY, "--overflow", "cut", stdin=lines)
    assert cut.exit_code == 0
    assert cut.stdout.splitlines()[1].startswith("b\t[SPEECH]")
    assert cut.stdout.splitlines()[::2] == refused.stdout.splitlines()[::2]
    warnings = cut.stderr.splitlines()
    assert warnings == ["spiritlm: b: line 2: the prompt is too long; its first 910 tokens are left out"]
    streamed = spiritlm("generate", *model, *GREEDY, "--overflow", "cut", "--stream", stdin=lines)
    assert (streamed.stdout, streamed.stderr.splitlines()) == (cut.stdout, warnings)


@pytest.fixture
def examples(tmp_path):
    path = tmp_path / "examples.txt"
    path.write_text("".join(f"{n}\t[SPEECH][Hu{n}][Hu9][TEXT]word {n}\n" for n in range(4)))
    return path


def test_a_task_by_example(spiritlm, model, examples):
    arguments = ("generate", *model, "--task", "asr", "--max-new-tokens", "5")
    question = "q\t[SPEECH][Hu7][Hu8]\n"
    result = spiritlm(*arguments, "--examples", examples, stdin=question)
    assert result.exit_code == 0, result.stderr
    prompt = "".join(f"[SPEECH][Hu{n}][Hu9][TEXT] <START Transcript> word {n} <END>" for n in range(4))
    by_hand = spiritlm(
        "generate", *model, "--greedy", "--max-new-tokens", "5",
        stdin=f"q\t{prompt}[SPEECH][Hu7][Hu8][TEXT]\n",
    )  # fmt: skip
    words = by_hand.stdout.removeprefix("q\t[TEXT]").split()
    assert result.stdout == f"q\t[TEXT]{' '.join(words)}\n"
    two = spiritlm(
        *arguments, "--examples", examples, "--shots", "2", "--shuffle", "--seed", "1", stdin=question
    )
    assert two.exit_code == 0
    assert spiritlm(*arguments, "--shots", "0", stdin=question).exit_code == 0
    spoken = spiritlm(
        "generate", "--task", "tts", "--shots", "1", "--examples", examples, "--prompt", "hello",
        "--max-new-tokens", "20",
    )  # fmt: skip
    assert spoken.stdout.startswith("[SPEECH]")


def test_what_is_wrong_with_examples(spiritlm, model, examples):
    task = ("generate", *model, "--task", "asr")
    question = "[Hu7][Hu8]\n"
    few = spiritlm(*task, "--examples", examples, "--shots", "5", stdin=question)
    assert (few.exit_code, few.stdout) == (1, "")
    assert few.stderr == f"spiritlm: {examples}: 4 examples, not the 5 of --shots\n"
    examples.write_text("[SPEECH][Hu1][TEXT]a\n[SPEECH][Hu1]\n")
    half = spiritlm(*task, "--examples", examples, stdin=question)
    assert f"{examples}: line 2: the task asr is about text, and this line has none" in half.stderr
    text = spiritlm(*task, "--shots", "0", stdin="[TEXT]a\n")
    assert text.stderr == "spiritlm: line 1: the task asr is about speech, and this line has none\n"
    unknown = spiritlm("generate", *model, "--task", "asrr", "--shots", "0", stdin=question)
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "spiritlm: asrr: neither a task (asr, continue, intent, tts) nor a template's file\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--prompt", "a", "x.txt"), ("--score", "--stream"), ("--score", "--echo"), ("--shots", "3"),
        ("--task", "asr"), ("--task", "asr", "--shots", "0", "--to", "text"), ("--examples", "x"),
        ("--to", "text", "--min-seconds", "3"), ("--min-seconds", "3", "--max-seconds", "2"), ("--stop", ""),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(spiritlm, model, arguments):
    result = spiritlm("generate", *model, *arguments, stdin="")
    assert result.exit_code == 2
    assert result.stdout == ""


def test_the_header_is_repeated_and_checked_in_examples_too(spiritlm, model, release_tree, examples):
    header = f"#spiritlm 1 model=x tokenizer={find_checkpoint(str(release_tree)).fingerprint()}\n"
    assert spiritlm("generate", *model, *GREEDY, stdin=f"{header}[Hu1]\n").stdout.startswith("#spiritlm 1 ")
    examples.write_text("#spiritlm 1 model=x tokenizer=0\n" + examples.read_text())
    result = spiritlm("generate", *model, "--task", "asr", "--examples", examples, stdin="[Hu1]\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "these are tokens of x" in result.stderr


@pytest.mark.parametrize(
    "options", [("--score",), ("--quantize", "int8"), ("--device", "cpu"), ("--device-map", "auto")]
)
def test_what_vllm_does_not_do_is_a_usage_error(spiritlm, options):
    result = spiritlm("generate", "--engine", "vllm", "--prompt", PROMPT, *options)
    assert result.exit_code == 2
    assert "--engine vllm" in result.stderr


def test_a_header_that_is_not_first_is_checked_and_not_repeated(spiritlm, model, release_tree, tmp_path):
    header = f"#spiritlm 1 model=x tokenizer={find_checkpoint(str(release_tree)).fingerprint()}\n"
    one, two, empty = (tmp_path / name for name in ("one.txt", "two.txt", "empty.txt"))
    one.write_text("[TEXT]one\n" * 40)
    two.write_text(f"{header}[Hu1]\n")
    empty.write_text("")
    result = spiritlm("generate", *model, *GREEDY, one, two)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 41
    assert "#" not in result.stdout
    assert spiritlm("generate", *model, *GREEDY, empty, two, one).stdout.startswith("#spiritlm 1 ")
    two.write_text("#spiritlm 1 model=x tokenizer=0\n[Hu1]\n")
    assert spiritlm("generate", *model, *GREEDY, one, two).exit_code == 1
    missing = spiritlm("generate", *model, *GREEDY, one, tmp_path / "none.txt")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "none.txt: No such file" in missing.stderr


def test_a_task_can_not_end_before_the_least_seconds(spiritlm):
    timing = Vocoder.load("nano").duration_predictor
    arguments = (
        "generate",
        "--task",
        "tts",
        "--shots",
        "0",
        "--prompt",
        "[TEXT]The sun.",
        "--min-seconds",
        "2",
    )
    result = spiritlm(*arguments, "--max-seconds", "3", "--seed", "1", "--num-samples", "3")
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        spoken = parse_sequence(line).speech[0].units
        units = [unit.id for unit in spoken if unit.kind is Kind.HUBERT]
        # the last unit may be one that would have gone beyond the most, and is left out
        assert 1.5 <= timing.frames(torch.tensor(units)).sum().item() * timing.frame_seconds <= 3


def test_an_example_that_the_model_can_not_read_is_named_at_once(spiritlm, model, examples):
    examples.write_text("[SPEECH][Hu1][TEXT]a\n[SPEECH][Hu999][TEXT]b\n")
    result = spiritlm("generate", *model, "--task", "asr", "--examples", examples, stdin="[Hu1]\n" * 3)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"spiritlm: {examples}: line 2: [Hu999]")


def test_stdin_has_one_reader(spiritlm, model):
    for arguments in (("--score", "--given", "-"), ("--task", "asr", "--examples", "-")):
        assert spiritlm("generate", *model, *arguments, stdin="[Hu1]\n").exit_code == 2


@pytest.mark.parametrize(
    "more", [(), ("--num-samples", "2"), ("--ids",), ("--score", "--no-ids"), ("--score", "--given")]
)
def test_resume_is_byte_identical_without_a_given_seed(
    spiritlm, model, release_tree, tmp_path, crash_states, monkeypatch, more
):
    prompts, output, errors = (tmp_path / name for name in ("prompts.txt", "out.txt", "bad.txt"))
    header = f"#spiritlm 1 model=x tokenizer={find_checkpoint(str(release_tree)).fingerprint()}\n"
    lines = [f"[TEXT]one {n}" if n % 3 else f"p{n}\t[Hu{n}]" for n in range(12)]
    lines[4] = "[Hu01]"
    prompts.write_text(header + "".join(f"{line}\n" for line in lines))
    if "--given" in more:
        (tmp_path / "given.txt").write_text("".join(f"[TEXT]{n}\n" for n in range(12)))
        more = (*more, tmp_path / "given.txt")
    short = () if "--score" in more else ("--max-new-tokens", "4")
    arguments = ("generate", *model, *short, *more, "--on-error", "skip", "--errors", errors, prompts)
    monkeypatch.setattr("spiritlm_cli.jobs.journal._INTERVAL", 0.0)
    crashes = crash_states(output)
    assert spiritlm(*arguments, "-o", output).exit_code == 1
    monkeypatch.undo()
    whole, reasons = output.read_bytes(), errors.read_bytes()
    for state in crashes.states[:: len(crashes.states) // 4]:
        crashes.restore(state)
        resumed = spiritlm(*arguments, "-o", output, "--resume")
        assert resumed.exit_code == 1, resumed.stderr
        assert (output.read_bytes(), errors.read_bytes()) == (whole, reasons)
    finished = spiritlm(*arguments, "-o", output, "--resume")
    assert (finished.exit_code, output.read_bytes()) == (0, whole)
    assert spiritlm(*arguments, "--resume").exit_code == 2


def test_as_many_examples_as_fit_are_used(spiritlm, model, tmp_path):
    path = tmp_path / "examples.txt"
    path.write_text("".join(f"{n}\t[SPEECH]{f'[Hu{n}][Hu9]' * 65}[TEXT]word\n" for n in range(12)))
    task = ("generate", *model, "--task", "asr", "--examples", path, "--max-new-tokens", "9", "--greedy")
    question = f"a\t[SPEECH]{'[Hu1]' * 9}\nb\t[SPEECH]{'[Hu2]' * 8}\n"
    result = spiritlm(*task, stdin=question)
    assert result.exit_code == 0
    assert re.fullmatch(
        r"spiritlm: 6 of 10 examples fit into the task's context of 1024 tokens, .*\n", result.stderr
    )
    assert result.stdout == spiritlm(*task, "--shots", "6", stdin=question).stdout
    # a number that is given is only limited by the model's context of 4096
    path.write_text("".join(f"{n}\t[SPEECH]{f'[Hu{n}][Hu9]' * 300}[TEXT]word\n" for n in range(12)))
    asked = spiritlm(*task, "--shots", "7", stdin=question)
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "6 of its 7 examples would fit" in asked.stderr
