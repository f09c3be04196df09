"""Audio and its text to word times."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spiritlm_cli.alignment.formats.ctm import format_ctm
from spiritlm_cli.alignment.formats.jsonl import format_row
from spiritlm_cli.alignment.formats.textgrid import format_textgrid
from spiritlm_cli.alignment.formats.whisper import format_whisper, format_whisperx
from spiritlm_cli.alignment.pool import POCKETSPHINX, Aligned, AlignerPool, available_cpus
from spiritlm_cli.errors import AlignmentError, SpiritLMError
from spiritlm_cli.files import concerns_one_file, open_atomic
from spiritlm_cli.jobs.codecs import CLIPS, RESULTS
from spiritlm_cli.jobs.compute import Compute, Function
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.folder import OutputFolder
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.options.align import AlignOptions
from spiritlm_cli.jobs.output import LineWriter, OutputLine, Result
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Outcomes, Run, Summary, settle, warn
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.transcripts import attach_text

__all__ = ["AlignOptions", "run"]


def run(options: AlignOptions) -> Summary:
    """Find the word times of clips. Returns how many clips, and how many could not be aligned.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first clip
    that can't be aligned.
    """
    options.check()
    if options.to_folder:
        return _run_to_folder(options)
    if options.chosen_format in ("jsonl", "ctm"):
        return _run_to_lines(options)
    return _run_to_file(options)


def _run_to_lines(options: AlignOptions) -> Summary:
    settled = settle("align", options)
    if settled.complete:
        return Summary()
    options = settled.options
    inputs = Inputs.of(options, texts=True)
    with Run(settled, total=inputs.count) as output:
        clips = output.remaining(_clips(inputs, options))
        output.write_all(
            computed(AlignCompute(options), clips, options.ray), lambda clip: _empty(clip, options)
        )
    return output.summary


def _clips(inputs: Inputs, options: AlignOptions) -> Iterator[Clip | BadClip]:
    """The clips with their texts, from which labels of silence and noise are removed."""
    return drop_labels(attach_text(inputs.clips(), options.text), options.keep_labels)


def _run_to_folder(options: AlignOptions) -> Summary:
    suffix = ".TextGrid" if options.chosen_format.startswith("textgrid") else ".json"
    folder, options = OutputFolder.open("align", options, Path(str(options.output)), suffix)
    inputs = Inputs.of(options, texts=True)
    count = 0
    with (
        Failures(options.on_error, options.errors) as failures,
        folder,
        Progress("clips", inputs.count() if Progress.shown() else None, output=options.output) as progress,
    ):
        clips = _clips(inputs, options)
        waiting = (clip for clip in clips if isinstance(clip, BadClip) or not folder.has(clip.id))
        with closing(computed(AlignCompute(options), waiting, options.ray)) as outcomes:
            for clip, outcome in outcomes:
                failed = False
                try:
                    result = outcome.result()
                    warn(result.warnings)
                    _write_atomically(folder.claim(clip.id, AlignmentError), result)
                    progress.add_seconds(result.seconds)
                except SpiritLMError as error:
                    failures.add(clip, error)
                    failed = True
                progress.advance(failed=failed)
                count += 1
    return Summary(count, failures.count)


def _run_to_file(options: AlignOptions) -> Summary:
    """One clip to one file, or to stdout."""
    inputs = Inputs.of(options, texts=True)
    count = 0
    clips = _clips(inputs, options)
    with (
        Failures(options.on_error, options.errors) as failures,
        closing(computed(AlignCompute(options), clips, options.ray)) as outcomes,
    ):
        for clip, outcome in outcomes:
            try:
                result = outcome.result()
            except SpiritLMError as error:
                failures.add(clip, error)
            else:
                warn(result.warnings)
                _write_file(None if options.output is None else Path(options.output), result)
            count += 1
    return Summary(count, failures.count)


def _write_atomically(path: Path, result: Result) -> None:
    """Write one file of a folder.

    Raises AlignmentError for an id that can't be a file name, OSError for a disk that is full or can't be written.
    """
    try:
        with open_atomic(path) as file:
            for line in result.lines:
                file.write(f"{line.value}\n".encode())
    except OSError as error:
        if not concerns_one_file(error):
            raise
        raise AlignmentError(f"{path}: can't be written ({error.strerror or error})") from None


def _write_file(path: Path | None, result: Result) -> None:
    with LineWriter(path) as writer:
        for line in result.lines:
            writer.write(line)


@dataclass(frozen=True)
class AlignCompute(Compute[AlignOptions, Clip | BadClip, Result]):
    """Clips to their word times, in the format of the options."""

    item_codec = CLIPS
    result_codec = RESULTS

    @property
    def device(self) -> str:
        """The device of the options; pocketsphinx has no use for a GPU."""
        return "cpu" if self.options.aligner == POCKETSPHINX else self.options.device

    @contextmanager
    def load(self) -> Iterator[Function[Clip | BadClip, Result]]:
        """Load the aligner. Raises CheckpointError."""
        workers = self.options.workers
        if workers is None:
            workers = self.cpus or available_cpus()
        with AlignerPool(self.options.aligner, self.options.device, workers) as pool:
            yield partial(self._compute, pool)

    def _compute(self, pool: AlignerPool, clips: Iterable[Clip | BadClip]) -> Outcomes[Clip | BadClip]:
        with closing(pool.align_stream(clips)) as aligned:
            for clip, outcome in aligned:
                yield clip, outcome.map(partial(self._result, clip))

    def _result(self, clip: Clip | BadClip, aligned: Aligned) -> Result:
        assert isinstance(clip, Clip)  # the outcome of a BadClip is an error
        warnings = tuple(f"{clip.id}: {note}" for note in aligned.alignment.notes)
        value = _format(clip, aligned, self.options)
        return Result((OutputLine(value, whole=True),), aligned.seconds, warnings)


def _format(clip: Clip, aligned: Aligned, options: AlignOptions) -> str:
    """The word times of a clip as text: a line or the content of a file, without the last line end."""
    chosen = options.chosen_format
    if chosen == "jsonl":
        return format_row(clip, aligned.alignment, _manifest_folder(options))
    if chosen == "ctm":
        return format_ctm(clip.id, aligned.alignment).rstrip("\n")
    if chosen in ("textgrid", "textgrid-short"):
        content = format_textgrid(aligned.alignment, aligned.seconds, short=chosen == "textgrid-short")
    else:
        format_json = format_whisper if chosen == "whisper" else format_whisperx
        content = format_json(clip.text or "", aligned.alignment)
    return content.rstrip("\n")


def _empty(clip: Clip | BadClip, options: AlignOptions) -> list[OutputLine]:
    """The lines of a clip without word times: a row of a manifest, and nothing in CTM."""
    if options.chosen_format != "jsonl":
        return []
    if isinstance(clip, Clip):
        return [OutputLine(format_row(clip, None, _manifest_folder(options)), whole=True)]
    return [OutputLine(json.dumps({"id": clip.id}, ensure_ascii=False), whole=True)]


def _manifest_folder(options: AlignOptions) -> Path:
    """What paths in a manifest are relative to: its folder, or for stdout the folder where it is read from stdin."""
    return Path() if options.output in (None, "-") else Path(str(options.output)).parent
