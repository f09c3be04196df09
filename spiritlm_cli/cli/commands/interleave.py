"""`spiritlm interleave`: sound and its words to lines in which speech and text take turns."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.jobs.explain import show_spans, tell_notes
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.lines import InputLine, copy_ids, read_input
from spiritlm_cli.jobs.output import Finished, LineWriter, data_only, heading_of
from spiritlm_cli.jobs.progress import Progress

if TYPE_CHECKING:
    from spiritlm_cli.batching import Outcome
    from spiritlm_cli.interleaving.interleave import Utterance
    from spiritlm_cli.manifests.clip import BadClip, Clip
    from spiritlm_cli.tokens.sequence import Line


def interleave(
    audio: options.SpokenText = None,
    manifest: options.Manifest = None,
    files_from: options.FilesFrom = None,
    null: options.Nul = False,
    shard: options.Shard = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Lines of `tokenize --keep-repeats`, in place of sound; with --manifest, of its clips in order.",
        ),
    ] = None,
    alignments: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|FILE",
            help="Word times by id: a folder of TextGrid or Whisper's or WhisperX's JSON, a CTM, or rows of `align`.",
        ),
    ] = None,
    aligner: Annotated[
        str,
        typer.Option(
            "--align",
            metavar="pocketsphinx|FOLDER|none",
            help="What finds word times where there are none: pocketsphinx (US English), or a CTC model's folder.",
        ),
    ] = "pocketsphinx",
    mode: Annotated[
        Literal["interleave", "speech", "text", "asr", "tts"],
        typer.Option(help="Turns; one kind alone; or all of it in both: speech then text, text then speech."),
    ] = "interleave",
    text_words: options.Words = "10:30",
    speech_words: options.Words = "5:15",
    copies: Annotated[int, typer.Option(min=1, help="Lines of each clip, drawn anew: id#0, id#1, …")] = 1,
    keep_repeats: Annotated[
        bool, typer.Option("--keep-repeats", help="Leave runs of equal units in.")
    ] = False,
    seed: options.Seed = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show on stderr how each line was cut: seconds, words, units.")
    ] = False,
    units: options.Units = "expressive",
    header: options.HeaderLine = False,
    output: options.Output = None,
    resume: options.Resume = False,
    ids: options.Ids = None,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    batch_seconds: options.BatchSeconds = None,
    workers: options.Workers = 2,
    model: options.Model = None,
    device: options.Device = "auto",
) -> None:
    """Make lines that go from speech to text and back.

    The language model is trained on them. Where there are no word times they are found by pocketsphinx (US English).

    \b
    Examples:
      spiritlm interleave --manifest clips.tsv --seed 1 -o lines.txt
      spiritlm interleave --manifest clips.tsv --copies 4 --text-words 2:6 --speech-words 2:6
      spiritlm interleave corpus/ --alignments textgrids/ --explain
      spiritlm interleave --tokens units.txt --alignments aligned.jsonl --mode asr
    """
    text_range, speech_range = options.word_range(text_words), options.word_range(speech_words)
    inputs = None
    if tokens is None or audio or manifest or files_from:
        inputs = Inputs(audio or [], manifest, files_from, null, options.shard_of(shard))
    if tokens is not None and (resume or shard):
        raise typer.BadParameter(
            "is for sound, not for --tokens", param_hint="--resume" if resume else "--shard"
        )
    if resume and seed is None:
        raise typer.BadParameter("needs the --seed that the run began with", param_hint="--resume")
    if explain and mode != "interleave":
        raise typer.BadParameter("is for --mode interleave", param_hint="--explain")
    finished = Finished.of(options.resumable(output), copies) if resume else None

    from spiritlm_cli.alignment.pool import available_cpus
    from spiritlm_cli.alignment.sources import WordTimes
    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.interleaving.interleave import draw_lines
    from spiritlm_cli.interleaving.spans import Mode, SpanOptions
    from spiritlm_cli.interleaving.utterances import read_utterances
    from spiritlm_cli.jobs.utterances import from_units
    from spiritlm_cli.manifests.transcripts import attach_text
    from spiritlm_cli.speech.tokenizer import SpeechTokenizer
    from spiritlm_cli.tokens.sequence import Line, Sequence

    seed = options.drawn_seed(seed)
    spans = SpanOptions(Mode(mode), text_range, speech_range, keep_repeats)
    checkpoint = find_checkpoint(model)
    heading = heading_of(checkpoint) if header and (inputs is None or inputs.first) else None
    clips = attach_text(inputs.clips()) if inputs else None
    before = finished or Finished.nothing()
    if clips and finished:
        clips = finished.after(clips, heading)
    own_ids = inputs is None or inputs.several or copies > 1

    def draw(item: "Clip | BadClip | InputLine", outcome: "Outcome[Utterance]") -> "list[Line]":
        utterance = outcome.result()
        tell_notes(utterance.id, utterance.alignment)
        lines = list(draw_lines([utterance], spans, seed=seed, copies=copies))
        if explain:
            show_spans(utterance, spans, seed, copies)
        progress.heard(utterance.seconds)
        return lines

    with ExitStack() as stack:
        failures = stack.enter_context(Failures(on_error, errors, before.failed))
        writer = stack.enter_context(LineWriter(output, own_ids if ids is None and inputs else ids, finished))
        stack.enter_context(data_only())
        total = inputs.count() if inputs and Progress.shown() else None
        progress = stack.enter_context(Progress("clips", total, before.clips))
        # half the cores for them, as the networks, where they are not on a GPU, have all
        engine = aligner if mode == "interleave" and aligner != "none" else None
        files = None if mode == "speech" else alignments
        times = stack.enter_context(WordTimes(files, engine, device, max(1, available_cpus() // 2)))
        if heading and not before.size:
            writer.write_text(heading)
        found: Iterator[tuple[Any, Outcome[Utterance]]]
        if tokens is not None:
            found = from_units(read_input([tokens], checkpoint, None if header else writer), clips, times)
        else:
            tokenizer = None
            if mode != "text":
                tokenizer = SpeechTokenizer.load(model, units == "expressive", device=device)
            read = read_utterances(
                clips or (), tokenizer, times, batch_seconds=batch_seconds, workers=workers
            )
            found = stack.enter_context(closing(read))
        for item, lines in failures.each_of(found, draw):
            name = item.name if isinstance(item, InputLine) else item.id
            for line in lines or [Line(Sequence(), id) for id in copy_ids(name, copies)]:  # noqa: A001
                # a token line that came without an id goes on without one
                writer.write(Line(line.sequence, None) if item.id is None and copies == 1 else line)
            progress.done(failed=lines is None)
