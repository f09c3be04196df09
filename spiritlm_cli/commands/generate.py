"""`spiritlm generate`: token lines to their continuations, or to how likely they are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spiritlm_cli.commands import options
from spiritlm_cli.commands.failures import Failures
from spiritlm_cli.commands.lines import InputLine, copy_ids, read_input, read_prompt
from spiritlm_cli.commands.output import LineWriter
from spiritlm_cli.commands.scores import score_lines, shown_score

if TYPE_CHECKING:
    from spiritlm_cli.language.model import Generation


def generate(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Prompts.  [default: stdin]")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="The prompt, as a token line.")] = None,
    to: Annotated[
        Literal["same", "any", "speech", "text"],
        typer.Option(help="What comes out; same: what the prompt ends in."),
    ] = "same",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="The most that is added.")] = 200,
    temperature: Annotated[float, typer.Option(min=1e-6, help="Lower is more probable.")] = 0.9,
    top_p: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="Draw from this much of the probability.")
    ] = 0.95,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from this many tokens; 0: all.")] = 0,
    repetition_penalty: Annotated[
        float, typer.Option(min=1e-6, help="Above 1 discourages repetition.")
    ] = 1.0,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take the most probable token; nothing is drawn.")
    ] = False,
    num_samples: Annotated[int, typer.Option(min=1, help="Continuations of each prompt: id#0, id#1, …")] = 1,
    echo: Annotated[
        bool, typer.Option("--echo", help="Write the prompt too, before what was added.")
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
    ids: options.Ids = None,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
) -> None:
    """Continue lines of tokens.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm generate --to text
      spiritlm generate --prompt '[TEXT]The old man walked to the sea.' --to speech --seed 1
      printf 'a\\t[TEXT]Once upon a time\\n' | spiritlm generate --num-samples 3 --echo
      spiritlm tokenize in.wav | spiritlm generate --score
    """
    if prompt is not None and files:
        raise typer.BadParameter("give files or --prompt, not both", param_hint="FILE")
    if given and not score:
        raise typer.BadParameter("is for --score", param_hint="--given")

    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.language.model import LanguageModel
    from spiritlm_cli.language.sampling import Sampling
    from spiritlm_cli.tokens.sequence import Line, Sequence

    seed = options.drawn_seed(seed)
    sampling = Sampling(temperature, top_p, top_k, repetition_penalty, greedy, max_new_tokens, seed)
    checkpoint = find_checkpoint(model)
    lm = LanguageModel.load(model, expressive=units == "expressive", device=device, dtype=dtype)

    def continued(line: InputLine, generations: "Iterator[Generation]") -> list[Sequence]:
        start = line.sequence.spans if echo else ()
        return [Sequence.of((*start, *generation.sequence.spans)) for generation in generations]

    with Failures(on_error, errors) as failures, LineWriter(output, ids) as writer:
        # A header is repeated before tokens; scores are none.
        repeat = None if score else writer
        lines = read_prompt(prompt) if prompt is not None else read_input(files or ["-"], checkpoint, repeat)
        if score:
            contexts = read_input([given], checkpoint) if given else None
            for line, likelihood in failures.each_of(
                score_lines(lm, lines, contexts), lambda _, found: found()
            ):
                writer.write_value(line.id, shown_score(likelihood))
            return
        # Random numbers go by the line's name, so that a line's answer doesn't depend on those around it.
        generated = lm.generate_each(
            lines, lambda line: line.sequence, to, sampling, lambda line: line.name, num_samples, batch_size
        )
        for line, continuations in failures.each_of(generated, continued):
            found = continuations or [Sequence()] * num_samples
            if num_samples == 1:
                writer.write(Line(found[0], line.id))
            else:
                for name, continuation in zip(copy_ids(line.name, num_samples), found, strict=True):
                    writer.write(Line(continuation, name))
