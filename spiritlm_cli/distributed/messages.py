"""Messages between the driver and the workers: inputs, results and errors as bytes, most of them JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from spiritlm_cli import errors
from spiritlm_cli.errors import AudioError, ManifestError, OptionError, SpiritLMError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Word

T = TypeVar("T")


@dataclass(frozen=True)
class Codec(Generic[T]):
    """How values of a type travel. decode: the inverse of encode. Both must be module-level functions."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


def to_json(fields: dict[str, Any]) -> bytes:
    """Encode a JSON object as ASCII, which can hold ids and paths that are not valid UTF-8."""
    return json.dumps(fields).encode("ascii")


def encode_clip(clip: Clip | BadClip) -> bytes:
    """Encode a clip. Raises AudioError for standard input, which other machines can't read."""
    source, is_stdin = str(clip.source), clip.source == "-"  # unlike the path of a file that is called "-"
    if isinstance(clip, BadClip):
        return to_json({"id": clip.id, "source": source, "stdin": is_stdin, "error": str(clip.error)})
    if is_stdin:
        raise AudioError("a cluster can't read this machine's stdin; name a file that all its machines have")
    return to_json({**asdict(clip), "source": source})


def decode_clip(message: bytes) -> Clip | BadClip:
    """Decode a clip."""
    fields = json.loads(message)
    if "error" in fields:
        source = "-" if fields["stdin"] else Path(fields["source"])
        return BadClip(fields["id"], source, ManifestError(fields["error"]))
    fields["source"] = Path(fields["source"])
    if alignment := fields["alignment"]:
        words = tuple(Word(**word) for word in alignment["words"])
        fields["alignment"] = Alignment(words, tuple(alignment["notes"]))
    return Clip(**fields)


CLIPS = Codec(encode_clip, decode_clip)


def encode_error(error: SpiritLMError) -> bytes:
    """Encode an error of any type that `spiritlm_cli.errors` has."""
    return to_json(
        {"type": type(error).__name__, "message": str(error), "option": getattr(error, "option", None)}
    )


def decode_error(message: bytes) -> SpiritLMError:
    """Decode an error, as an instance of its own type."""
    fields = json.loads(message)
    kind: type[SpiritLMError] = getattr(errors, fields["type"], SpiritLMError)
    if issubclass(kind, OptionError):
        return kind(fields["message"], fields["option"])
    return kind(fields["message"])


ERRORS = Codec(encode_error, decode_error)
