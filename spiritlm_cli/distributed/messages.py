"""What travels between the driver and the workers: clips one way, units or errors the other, as JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spiritlm_cli import errors
from spiritlm_cli.errors import AudioError, ManifestError, SpiritLMError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word
from spiritlm_cli.tokens.units import Units


def clip_to_json(clip: Clip | BadClip) -> str:
    """A clip as an object. Raises AudioError for standard input."""
    if isinstance(clip, BadClip):
        return json.dumps({"id": clip.id, "source": str(clip.source), "error": str(clip.error)})
    if clip.source == "-":
        raise AudioError("stdin is this machine's alone; name a file that all machines of the cluster have")
    return json.dumps({**asdict(clip), "source": str(clip.source)})


def clip_from_json(text: str) -> Clip | BadClip:
    """What `clip_to_json` was given."""
    fields = json.loads(text)
    fields["source"] = Path(fields["source"])
    if "error" in fields:
        return BadClip(fields["id"], fields["source"], ManifestError(fields["error"]))
    if alignment := fields["alignment"]:
        fields["alignment"] = Alignment(tuple(Word(**word) for word in alignment["words"]))
    return Clip(**fields)


def answer_to_json(answer: Units | SpiritLMError) -> str:
    """The units of a clip, or why it has none, as an object."""
    if isinstance(answer, SpiritLMError):
        return json.dumps({"error": type(answer).__name__, "message": str(answer)})
    streams = (answer.hubert, answer.pitch, answer.style)
    return json.dumps({"units": [None if stream is None else stream.tolist() for stream in streams]})


def answer_from_json(text: str) -> Units | SpiritLMError:
    """What `answer_to_json` was given."""
    fields = json.loads(text)
    if "error" in fields:
        kind: type[SpiritLMError] = getattr(errors, fields["error"], SpiritLMError)
        return kind(fields["message"])
    streams: list[Any] = [
        None if stream is None else np.array(stream, np.int64) for stream in fields["units"]
    ]
    return Units(*streams)
