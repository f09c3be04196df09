"""The views of `inspect`: what each writes of an input, and where."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from spiritlm_cli.console import data_console
from spiritlm_cli.errors import TokenError
from spiritlm_cli.files import concerns_one_file, naming, write_text
from spiritlm_cli.inspection.codebooks import Codebooks, model_codebooks
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.page import Page
from spiritlm_cli.inspection.plots import check_matplotlib, plot_clip, plot_statistics
from spiritlm_cli.inspection.rendering import inspected_to_json, print_inspected, print_statistics
from spiritlm_cli.inspection.statistics import UnitStatistics
from spiritlm_cli.inspection.textgrid import format_units_textgrid
from spiritlm_cli.jobs.options.inspect import InspectOptions, is_folder
from spiritlm_cli.manifests.filenames import filename_for
from spiritlm_cli.streams import is_stdout


class View(Protocol):
    """What takes each input, in order. By default, a view has nothing to do before the first and after the last."""

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None

    def add(self, inspected: Inspected) -> None:
        """Write an input, or count it. Raises SpiritLMError for one that can't be written."""
        ...


def views_of(options: InspectOptions) -> list[View]:
    """The views that options ask for; the table if they ask for no other."""
    if options.plot:
        check_matplotlib()
    views: list[View] = []
    if options.stats:
        views.append(StatisticsView(options))
    elif options.plot:
        views.append(FilesView(options.plot, ".png", plot_clip, "--plot"))
    if options.html:
        views.append(Page(options.html))
    if options.textgrid and is_stdout(options.textgrid):
        views.append(PrintView(format_units_textgrid))
    elif options.textgrid:
        views.append(FilesView(options.textgrid, ".TextGrid", _write_textgrid, "--textgrid"))
    if options.as_json and not options.stats:
        codebooks = model_codebooks(options.checkpoint)
        views.append(PrintView(lambda inspected: _to_json(inspected_to_json(inspected, codebooks))))
    return views or [TableView(model_codebooks(options.checkpoint))]


class TableView(View):
    """Prints a table and the tokens of each input."""

    def __init__(self, codebooks: Codebooks) -> None:
        self._codebooks, self._console = codebooks, data_console()

    def add(self, inspected: Inspected) -> None:
        """Print an input."""
        with naming("stdout"):
            print_inspected(inspected, self._console, self._codebooks)
            self._console.file.flush()


class PrintView(View):
    """Prints a text for each input."""

    def __init__(self, text: Callable[[Inspected], str]) -> None:
        """text: of an input, with its line end."""
        self._text, self._stdout = text, sys.stdout

    def add(self, inspected: Inspected) -> None:
        """Print an input."""
        with naming("stdout"):
            print(self._text(inspected), end="", file=self._stdout, flush=True)


class StatisticsView(View):
    """Counts the units of all inputs, and prints or plots the statistics at the end."""

    def __init__(self, options: InspectOptions) -> None:
        self._options, self._console = options, data_console()
        self._statistics = UnitStatistics(model_codebooks(options.checkpoint))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is not None:
            return
        with naming("stdout"):
            if self._options.as_json:
                self._console.file.write(_to_json(self._statistics.to_json()))
            elif not self._options.plot:
                print_statistics(self._statistics, self._console)
            self._console.file.flush()
        if self._options.plot:
            plot_statistics(self._statistics, Path(self._options.plot))

    def add(self, inspected: Inspected) -> None:
        """Count the units of an input."""
        self._statistics.add(inspected)


class FilesView(View):
    """Writes one input to a file, or a file for each input to a folder, named by its id."""

    def __init__(self, path: str, suffix: str, write: Callable[[Inspected, Path], None], flag: str) -> None:
        """suffix: of the files in a folder. write: writes an input to a path. flag: the option, for messages."""
        self._path, self._suffix, self._write, self._flag = path, suffix, write, flag
        self._written: set[str] = set()

    def __enter__(self) -> "FilesView":
        if is_folder(self._path):
            Path(self._path).mkdir(parents=True, exist_ok=True)
        return self

    def add(self, inspected: Inspected) -> None:
        """Write an input. Raises TokenError for a second one with the same file, and for an id that can't be a name."""
        if is_folder(self._path):
            path = Path(self._path, filename_for(inspected.id) + self._suffix)
        else:
            path = Path(self._path)
        if path.name.casefold() in self._written:
            advice = "" if is_folder(self._path) else f"; for a file for each input give {self._flag} FOLDER/"
            raise TokenError(f"{path}: is already written for another input{advice}")
        try:
            self._write(inspected, path)
        except OSError as error:
            if not (is_folder(self._path) and concerns_one_file(error)):
                raise
            raise TokenError(f"{path}: can't be written ({error.strerror})") from None
        self._written.add(path.name.casefold())


def _write_textgrid(inspected: Inspected, path: Path) -> None:
    write_text(path, format_units_textgrid(inspected))


def _to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
