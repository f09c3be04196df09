"""`spiritlm align`: sound and what is said in it to word times."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.jobs.alignment_sinks import Format, chosen_format, open_writer
from spiritlm_cli.jobs.explain import tell_notes
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.output import Finished
from spiritlm_cli.jobs.progress import Progress

if TYPE_CHECKING:
    from spiritlm_cli.alignment.pool import Aligned
    from spiritlm_cli.batching import Outcome
    from spiritlm_cli.manifests.clip import BadClip


def align(
    audio: options.SpokenText = None,
    manifest: options.Manifest = None,
    files_from: options.FilesFrom = None,
    null: options.Nul = False,
    shard: options.Shard = None,
    text: Annotated[str | None, typer.Option(help="What is said in the one file that is named.")] = None,
    aligner: options.Aligner = "pocketsphinx",
    format: Annotated[  # noqa: A002
        Format | None,
        typer.Option(
            help="How word times are written.  [default: what the suffix of -o says; for a folder textgrid; else jsonl]"
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE|FOLDER/", help="One file, or a file for each id; else stdout."
        ),
    ] = None,
    resume: options.Resume = False,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that align.  [default: one for each core]")
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Find when each word is said.

    By default with pocketsphinx (US English, nothing to fetch). Lines of JSON are a manifest, which `interleave` takes.

    \b
    Examples:
      spiritlm align in.wav --text 'The old man walked to the sea.' -o in.TextGrid
      spiritlm align --manifest clips.tsv -o aligned.jsonl
      spiritlm align corpus/ -o textgrids/ --on-error skip --errors bad.tsv
    """
    inputs = Inputs(audio or [], manifest, files_from, null, options.shard_of(shard))
    if text is not None and inputs.several:
        raise typer.BadParameter("is of one file, named on the command line", param_hint="--text")
    chosen = chosen_format(format, output)
    goes_on = resume and chosen == "jsonl"
    finished = Finished.of(options.resumable(Path(output) if output else None)) if goes_on else None
    writer = open_writer(chosen, output, resume, finished, inputs.several)
    if audio == ["-"] and chosen == "jsonl":
        raise typer.BadParameter(
            "rows of a manifest name files; for sound on stdin give --format ctm", param_hint="--format"
        )

    from spiritlm_cli.alignment.pool import AlignerPool, available_cpus
    from spiritlm_cli.manifests.clip import Clip
    from spiritlm_cli.manifests.transcripts import attach_text

    clips = attach_text(inputs.clips(), text)
    before = finished or Finished.nothing()
    if finished:
        clips = finished.after(clips)
    with (
        Failures(on_error, errors, before.failed) as failures,
        writer,
        Progress("clips", inputs.count() if Progress.shown() else None, before.clips) as progress,
        AlignerPool(aligner, device, available_cpus() if workers is None else workers) as pool,
        closing(pool.align_stream(clip for clip in clips if not writer.has(clip))) as answers,
    ):

        def write(clip: "Clip | BadClip", outcome: "Outcome[Aligned]") -> bool:
            aligned = outcome.result()
            tell_notes(clip.id, aligned.alignment)
            assert isinstance(clip, Clip)  # the answer of others is an error
            writer.write(clip, aligned)
            progress.heard(aligned.seconds)
            return True

        for clip, written in failures.each_of(answers, write):
            if not written:
                writer.write_nothing(clip)
            progress.done(failed=not written)
