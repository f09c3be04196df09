"""How the inputs and results of jobs travel to the workers of a cluster and back."""

import json
from typing import Any

import numpy as np

from spiritlm_cli.distributed.messages import CLIPS, Codec, decode_error, encode_error, to_json
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.jobs.output import OutputLine, Result
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Line
from spiritlm_cli.tokens.writer import format_sequence

__all__ = ["CLIPS", "LINES", "RESULTS", "WAVEFORMS", "line_fields", "line_from_fields"]


def line_fields(line: InputLine) -> dict[str, Any]:
    """An input line as the fields of a JSON object."""
    content = line.content
    if isinstance(content, TokenError):
        fields: dict[str, Any] = {"error": encode_error(content).decode()}
    else:
        prompt = content.prompt
        fields = {
            "sequence": format_sequence(content.sequence),
            "line_id": content.id,
            "opens": content.opens,
            "prompt": None if prompt is None else format_sequence(prompt),
        }
    return {
        "source": line.source,
        "line_number": line.line_number,
        "index": line.index,
        "id": line.id,
        "content": fields,
    }


def line_from_fields(fields: dict[str, Any]) -> InputLine:
    """The input line that `line_fields` was given."""
    content = fields["content"]
    return InputLine(
        fields["source"], fields["line_number"], fields["index"], fields["id"], _content(content)
    )


def _content(fields: dict[str, Any]) -> Line | TokenError:
    if "error" in fields:
        error = decode_error(fields["error"].encode())
        assert isinstance(error, TokenError)
        return error
    prompt = fields["prompt"]
    return Line(
        parse_sequence(fields["sequence"]),
        fields["line_id"],
        fields["opens"],
        None if prompt is None else parse_sequence(prompt),
    )


def _encode_line(line: InputLine) -> bytes:
    return to_json(line_fields(line))


def _decode_line(message: bytes) -> InputLine:
    return line_from_fields(json.loads(message))


LINES = Codec(_encode_line, _decode_line)


def _encode_result(result: Result) -> bytes:
    return to_json(
        {
            "lines": [[line.value, line.id, line.whole] for line in result.lines],
            "seconds": result.seconds,
            "warnings": result.warnings,
            "report": result.report,
        }
    )


def _decode_result(message: bytes) -> Result:
    fields = json.loads(message)
    lines = tuple(OutputLine(*line) for line in fields["lines"])
    return Result(lines, fields["seconds"], tuple(fields["warnings"]), fields["report"])


RESULTS = Codec(_encode_result, _decode_result)


def _encode_waveform(waveform: Waveform) -> bytes:
    """The sampling rate (int32), then the samples (float32), little-endian."""
    rate = np.array([waveform.rate], dtype="<i4")
    return rate.tobytes() + waveform.samples.astype("<f4").tobytes()


def _decode_waveform(message: bytes) -> Waveform:
    samples = np.frombuffer(message, dtype="<f4", offset=4).astype(np.float32)
    return Waveform(samples, int(np.frombuffer(message, dtype="<i4", count=1)[0]))


WAVEFORMS = Codec(_encode_waveform, _decode_waveform)
