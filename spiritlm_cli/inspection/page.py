"""A page of HTML in which one sees and hears the tokens of clips: one file, which works offline."""

import base64
import hashlib
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from spiritlm_cli.audio.encoders import write_all
from spiritlm_cli.files import naming, open_atomic
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.page_data import clip_to_json, script_json, sounds_to_json
from spiritlm_cli.inspection.page_diff import diff_fields
from spiritlm_cli.inspection.palette import DARK, LIGHT, Palette
from spiritlm_cli.inspection.unit_diff import LineDiff
from spiritlm_cli.streams import is_written_through, open_through

_ASSETS = files("spiritlm_cli") / "assets" / "inspect"
# One after another they are the script of the page.
_SCRIPTS = (
    "dom.js",
    "clips.js",
    "signal.js",
    "player.js",
    "view.js",
    "colors.js",
    "f0.js",
    "lanes.js",
    "tooltip.js",
    "picture.js",
    "token_line.js",
    "search.js",
    "clip_list.js",
    "about.js",
    "app.js",
    "keys.js",
    "page.js",
)


class Page:
    """Write a page, one input at a time: memory does not grow with their number.

        with Page(Path("tokens.html")) as page:
            for inspected in inputs:
                page.add(inspected)

    The file appears under its name when the `with` block ends, and does not appear if the block raises. The same inputs
    give the same bytes. The page loads nothing: its content security policy allows its own script and style only.
    """

    _file: BinaryIO
    _stack: ExitStack

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clips = 0

    def __enter__(self) -> "Page":
        """Raises OSError if the file can't be written."""
        before, self._after = page_parts()
        with ExitStack() as stack:
            through = is_written_through(self._path)
            self._file = stack.enter_context(open_through(self._path) if through else open_atomic(self._path))
            stack.push(self._finish)
            self._write(before)
            self._stack = stack.pop_all()
        return self

    def add(self, inspected: Inspected) -> None:
        """Write the data of one input.

        Raises TokenError for a sequence that a token line can't represent and AudioError for samples that are no
        numbers; the page is then as before, and can go on with the next input. Raises OSError if it can't be written.
        """
        self._add(clip_to_json(inspected), inspected)

    def add_diff(self, diff: LineDiff) -> None:
        """Write the data of both sides of a comparison, each with the units of the other below its own.

        Raises as `add`.
        """
        for side, inspected in (("A", diff.a), ("B", diff.b)):
            self._add(clip_to_json(inspected) | diff_fields(diff, side), inspected)

    def _add(self, fields: dict[str, Any], inspected: Inspected) -> None:
        # The sounds apart, as the page parses them only when the clip is shown.
        clip, sounds = script_json(fields), script_json(sounds_to_json(inspected))
        for name, content in (("clip", clip), ("sounds", sounds)):
            self._write(f'<script type="application/json" data-{name}="{self._clips}">{content}</script>\n')
        self._clips += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises OSError if the file can't be written."""
        self._stack.__exit__(kind, error, trace)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the end of the page, unless an error ends the block."""
        if kind is None:
            self._write(self._after)

    def _write(self, content: str) -> None:
        with naming(self._path):
            write_all(self._file, content.encode())


def page_parts() -> tuple[str, str]:
    """What stands before and after the data of the clips."""
    style = palette_css() + _asset("page.css")
    script = '"use strict";\n' + "".join(_asset(name) for name in _SCRIPTS)
    page = _asset("page.html")
    for name, content in (
        ("policy", content_policy(script, style)),
        ("style", style),
        ("script", script),
    ):
        page = page.replace(f"{{{{{name}}}}}", content)
    before, after = page.split("{{clips}}\n")
    return before, after


def content_policy(script: str, style: str) -> str:
    """The content security policy of a page: nothing but this script and style, and images and sounds they make."""
    return (
        "default-src 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data: blob:; media-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def palette_css() -> str:
    """The palettes as custom properties of CSS, such as `--phonetic`."""
    light, dark = _properties(LIGHT), _properties(DARK)
    return (
        f":root {{ {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f":root[data-theme=dark] {{ {dark} }}\n"
    )


def _properties(palette: Palette) -> str:
    return " ".join(f"--{name}: {color};" for name, color in vars(palette).items())


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """The source expression of inline content, see https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode('ascii')}"
