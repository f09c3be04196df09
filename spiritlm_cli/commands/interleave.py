"""`spiritlm interleave`: sound and its words to lines in which speech and text take turns."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spiritlm_cli.commands import options
from spiritlm_cli.commands.failures import Failures
from spiritlm_cli.commands.lines import copy_ids
from spiritlm_cli.commands.output import LineWriter

if TYPE_CHECKING:
    from spiritlm_cli.audio.clip import Clip
    from spiritlm_cli.tokens.sequence import Line


def interleave(
    manifest: Annotated[
        Path,
        typer.Option(
            help="TSV with a header line or JSONL: id, audio, text, and words where they are known."
        ),
    ],
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
    units: options.Units = "expressive",
    header: options.HeaderLine = False,
    output: options.Output = None,
    ids: options.Ids = None,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
) -> None:
    """Make lines that go from speech to text and back.

    The language model is trained on them. Where the manifest has no word times they are found by pocketsphinx
    (US English).

    \b
    Examples:
      spiritlm interleave --manifest clips.tsv --seed 1 -o lines.txt
      spiritlm interleave --manifest clips.tsv --copies 4 --text-words 2:6 --speech-words 2:6
      spiritlm interleave --manifest clips.tsv --mode asr
    """
    text_range, speech_range = options.word_range(text_words), options.word_range(speech_words)

    from spiritlm_cli.audio.manifest import scan_manifest
    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.interleaving.aligners.pocketsphinx import PocketsphinxAligner
    from spiritlm_cli.interleaving.clips import read_utterance
    from spiritlm_cli.interleaving.interleave import draw_lines
    from spiritlm_cli.interleaving.spans import Mode, SpanOptions
    from spiritlm_cli.speech.tokenizer import SpeechTokenizer
    from spiritlm_cli.tokens.sequence import Line, Sequence

    seed = options.drawn_seed(seed)
    spans = SpanOptions(Mode(mode), text_range, speech_range, keep_repeats)
    tokenizer = SpeechTokenizer.load(model, expressive=units == "expressive", device=device)
    aligner = PocketsphinxAligner() if mode == "interleave" else None

    def drawn(clip: "Clip") -> "list[Line]":
        utterance = read_utterance(clip, tokenizer, aligner)
        return list(draw_lines([utterance], spans, seed=seed, copies=copies))

    with Failures(on_error, errors) as failures, LineWriter(output, ids) as writer:
        if header:
            writer.write_header(find_checkpoint(model))
        for clip, lines in failures.each(scan_manifest(manifest), drawn):
            for line in lines or [Line(Sequence(), name) for name in copy_ids(clip.id, copies)]:
                writer.write(line)
