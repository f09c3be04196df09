"""Units out: a line of tokens for each clip, or an object of streams."""

import json
import os
from typing import TYPE_CHECKING

from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.timeline import StreamMerger, merge_streams

if TYPE_CHECKING:
    from spiritlm_cli.batching import Outcome
    from spiritlm_cli.jobs.output import LineWriter
    from spiritlm_cli.jobs.progress import Progress
    from spiritlm_cli.manifests.clip import BadClip, Clip
    from spiritlm_cli.tokens.units import Units

HERTZ = 25  # phonetic units a second


class UnitWriter:
    """Writes a clip's units as `tokenize` is asked to."""

    def __init__(
        self, writer: "LineWriter", progress: "Progress", keep_repeats: bool, jsonl: bool, stream: bool
    ) -> None:
        """jsonl: objects of streams, not lines of tokens; stream: write of each clip what there is of it."""
        self._writer, self._progress = writer, progress
        self._keep_repeats, self._jsonl, self._stream = keep_repeats, jsonl, stream
        self._begun: Clip | BadClip | None = None

    def write(self, clip: "Clip | BadClip", parts: "Outcome[Units]") -> bool:
        """The clip's line, when its units are there; True. Raises what getting them does, and then writes none; but
        a line that has been begun is ended."""
        if self._stream:
            self._write_parts(clip, parts)
        else:
            units = parts.result()
            self._count(units)
            self._write_whole(clip, units)
        self._progress.done()
        return True

    def write_nothing(self, clip: "Clip | BadClip") -> None:
        """The line of a clip that `write` could write none for."""
        if clip is not self._begun:
            self._write_whole(clip, None)
        self._progress.done(failed=True)

    def _count(self, units: "Units") -> None:
        self._progress.heard(len(units.hubert) / HERTZ)

    def _write_whole(self, clip: "Clip | BadClip", units: "Units | None") -> None:
        if self._jsonl:
            self._writer.write_text(_to_json(clip, units))
        else:
            spans = [] if units is None else [merge_streams(units, self._keep_repeats)]
            self._writer.write(Line(Sequence.of(spans), clip.id))

    def _write_parts(self, clip: "Clip | BadClip", parts: "Outcome[Units]") -> None:
        merger = StreamMerger(self._keep_repeats)
        try:
            for units in parts:
                self._count(units)
                if clip is not self._begun:
                    self._begun = clip
                    self._writer.begin(clip.id)
                    self._writer.write_part("[SPEECH]")
                self._writer.write_part("".join(map(str, merger.add(units))))
        finally:
            if clip is self._begun:
                self._writer.write_text("".join(map(str, merger.flush())))


def _to_json(clip: "Clip | BadClip", units: "Units | None") -> str:
    """One object with the key names and the spelling of the published tokenizer."""
    # A path's bytes need not be UTF-8; JSON must be.
    found = {"id": clip.id, "audio": os.fsencode(clip.source).decode(errors="replace")}
    for name in ("hubert", "pitch", "style"):
        stream = getattr(units, name, None)
        if stream is not None:
            found[name] = " ".join(map(str, stream.tolist()))
    return json.dumps(found, ensure_ascii=False)
