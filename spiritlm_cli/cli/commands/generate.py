"""`spiritlm generate`: token lines to their continuations, or to how likely they are."""

from itertools import islice
from typing import Annotated, Literal

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.jobs.continuations import Continuing
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.lines import read_input, read_prompt
from spiritlm_cli.jobs.output import Finished, LineWriter
from spiritlm_cli.jobs.score import write_scores


def generate(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Prompts.  [default: stdin]")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="The prompt, as a token line.")] = None,
    to: Annotated[
        Literal["same", "any", "speech", "text"] | None,
        typer.Option(help="What comes out; same: what the prompt ends in.  [default: same]"),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The most that is added.  [default: 200, or the task's; of speech with seconds: any]",
        ),
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(min=0.04, help="The most speech that is added, as decode has it.")
    ] = None,
    min_seconds: Annotated[
        float | None, typer.Option(min=0.04, help="Before so much speech, the model can't end.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="End before this text; may be given again.")
    ] = None,
    sentence: Annotated[bool, typer.Option("--sentence", help="End after a sentence of text.")] = False,
    temperature: Annotated[float, typer.Option(min=1e-6, help="Lower is more probable.")] = 0.9,
    top_p: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="Draw from this much of the probability.")
    ] = 0.95,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from this many tokens; 0: all.")] = 0,
    min_p: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Draw from tokens at least so likely beside the likeliest."),
    ] = 0.0,
    repetition_penalty: Annotated[
        float, typer.Option(min=1e-6, help="Above 1 discourages repetition.")
    ] = 1.0,
    greedy: Annotated[
        bool | None,
        typer.Option(
            "--greedy/--draw", help="Take the most probable token, or draw.  [default: draw, or the task's]"
        ),
    ] = None,
    num_samples: Annotated[int, typer.Option(min=1, help="Continuations of each prompt: id#0, id#1, …")] = 1,
    echo: Annotated[
        bool, typer.Option("--echo", help="Write the prompt too, before what was added.")
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write tokens as they are made, one line after another.")
    ] = False,
    overflow: Annotated[
        Literal["refuse", "cut"],
        typer.Option(help="A prompt longer than the context is an error, or loses its beginning."),
    ] = "refuse",
    task: Annotated[
        str | None,
        typer.Option(
            metavar="asr|tts|intent|continue|FILE", help="Prompts in this form; a template may be your own."
        ),
    ] = None,
    examples: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --task: token lines that are solved examples.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(min=0, help="Examples in a prompt, the first ones.  [default: the task's]")
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Draw the examples anew for each line, by --seed.")
    ] = False,
    score: Annotated[
        bool,
        typer.Option(
            "--score", help="Instead, write `log-likelihood<TAB>number of tokens<TAB>mean` of each line."
        ),
    ] = False,
    given: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="With --score: lines that those read follow, and that are not counted."
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Continuations that go on together; the answers are the same.")
    ] = 16,
    seed: options.Seed = None,
    units: options.Units = "expressive",
    output: options.Output = None,
    resume: options.Resume = False,
    ids: options.Ids = None,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
    device_map: options.DeviceMap = None,
    dtype: options.Dtype = None,
    quantize: options.Quantize = None,
    engine: options.Engine = "torch",
) -> None:
    """Continue lines of tokens.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm generate --to text
      spiritlm generate --prompt '[TEXT]The old man walked to the sea.' --to speech --seed 1
      spiritlm generate --prompt '[TEXT]Once upon a time' --to speech --stream | spiritlm decode -o - > out.wav
      spiritlm tokenize in.wav | spiritlm generate --task asr --shots 0
      spiritlm tokenize in.wav | spiritlm generate --score
    """
    for wrong, message, name in (
        (prompt is not None and files, "give files or --prompt, not both", "FILE"),
        (given and not score, "is for --score", "--given"),
        ("-" in (given, examples) and prompt is None and "-" in (files or ["-"]), "stdin has the lines", "-"),
        (score and (stream or task or echo), "can't be had with --stream, --task or --echo", "--score"),
        (
            (examples or shots is not None or shuffle) and not task,
            "is for --task",
            "--examples, --shots, --shuffle",
        ),
        (task and shots != 0 and not examples, "needs --examples FILE (or --shots 0)", "--task"),
        (task and to, "is for the task to say", "--to"),
        (score and (to or num_samples > 1 or stop or sentence), "is of lines as they are", "--score"),
        (to == "text" and min_seconds, "is of speech, and --to text gives none", "--min-seconds"),
        (engine == "vllm" and score, "gives no scores", "--engine vllm"),
        (
            engine == "vllm" and (quantize or device_map or device != "auto"),
            "has its own ways of --device, --device-map and --quantize",
            "--engine vllm",
        ),
    ):
        if wrong:
            raise typer.BadParameter(message, param_hint=name)

    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.jobs.few_shot import load_few_shot
    from spiritlm_cli.language.generator import TokenGenerator
    from spiritlm_cli.language.model import LanguageModel
    from spiritlm_cli.language.prompt import Prompt
    from spiritlm_cli.language.sampling import Sampling

    seed = options.drawn_seed(seed)
    try:
        sampling = Sampling(
            temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p, repetition_penalty=repetition_penalty,
            greedy=bool(greedy), seed=seed, max_new_tokens=max_new_tokens, max_seconds=max_seconds,
            min_seconds=min_seconds, stop=tuple(stop or ()), sentence=sentence,
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    checkpoint = find_checkpoint(model)
    expressive = units == "expressive"
    solved = (
        load_few_shot(task, examples, shots, checkpoint, expressive, device, shuffle, seed) if task else None
    )
    if solved:
        sampling = solved.sampling(sampling, max_new_tokens, greedy)
    if engine == "vllm":
        from spiritlm_cli.language.vllm import VllmGenerator

        lm: TokenGenerator = VllmGenerator.load(model, expressive, dtype)
    else:
        lm = LanguageModel.load(model, expressive, device, dtype, device_map, quantize)
    before = Finished.of(options.resumable(output), num_samples) if resume else Finished.nothing()
    with (
        Failures(on_error, errors, before.failed) as failures,
        LineWriter(output, ids, before if resume else None) as writer,
    ):
        # A header is repeated before tokens; scores are none.
        repeat = None if score or before.size else writer
        lines = read_prompt(prompt) if prompt is not None else read_input(files or ["-"], checkpoint, repeat)
        lines = before.after(lines, before.heading)
        if score:
            assert isinstance(lm, LanguageModel)  # no other engine is let through
            contexts = islice(read_input([given], checkpoint), before.clips, None) if given else None
            write_scores(lm, lines, contexts, writer, failures)
            return
        continuing = Continuing(
            lm,
            (lambda line: solved.prompt(line.line, line.name)) if solved else (lambda line: Prompt(line.line)),
            solved.task.normalize_answer if solved else iter,
            solved.task.to if solved else to or "same", sampling, overflow, num_samples, echo,
        )  # fmt: skip
        if stream:
            continuing.stream(lines, writer, failures)
        else:
            continuing.write(lines, writer, failures, batch_size)
