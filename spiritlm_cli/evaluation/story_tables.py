"""Stories and their two endings as text: the CSV files of StoryCloze and of the spoken versions of it."""

from collections.abc import Iterator
from pathlib import Path

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pair_files import table_rows
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Pair
from spiritlm_cli.manifests.tables import read_table
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import numbered_lines
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

TEXT_TO_TEXT = "T→T"

# StoryCloze's own files: four sentences and two endings a row.
_SENTENCES = tuple(f"InputSentence{number}" for number in range(1, 5))
_ENDINGS = tuple(f"RandomFifthSentenceQuiz{number}" for number in (1, 2))
_STORY_COLUMNS = ("InputStoryid", *_SENTENCES, *_ENDINGS, "AnswerRightEnding")
# The manifest of the spoken versions: a row for the prompt of a story, and one for each ending.
_MANIFEST_COLUMNS = ("pair_id", "text", "type", "correctness")


def is_story_table(path: Path) -> bool:
    """Return whether a CSV file has the columns of one of the two forms."""
    try:
        return _columns(path) is not None
    except ManifestError:
        return False


def read_story_table(path: Path | str) -> list[Pair | BadPair]:
    """Read the stories of a CSV file, and the rows that can't be used. The endings are scored after the story.

    Columns: `InputStoryid`, `InputSentence1` to `4`, `RandomFifthSentenceQuiz1` and `2`, and `AnswerRightEnding` (1 or
    2); or `pair_id`, `text`, `type` (`prompt`, or else) and `correctness` (`correct` or `incorrect`).
    Raises ManifestError if the file can't be read, has other columns or no rows.
    """
    path = Path(path)
    columns = _columns(path)
    if columns is None:
        wanted = " or ".join(", ".join(names) for names in (_MANIFEST_COLUMNS, _STORY_COLUMNS))
        raise ManifestError(f"{path}: not a table of stories; its columns should be {wanted}")
    entries = list(_quiz(path) if columns == _STORY_COLUMNS else _manifest(path))
    if not entries:
        raise ManifestError(f"{path}: has no stories")
    return sorted(entries, key=lambda entry: not isinstance(entry, BadPair))


def text_story(name: str, source: str, prompt: str, good: str, bad: str) -> Pair:
    """Return the pair of a story's endings as text, with the space that joins them to the story.

    prompt: the story without its ending; empty if the endings are whole stories.
    """
    join = " " if prompt else ""
    return Pair(
        f"{name}/{TEXT_TO_TEXT}",
        source,
        (Candidate("correct", source, _text(join + good)),),
        (Candidate("incorrect", source, _text(join + bad)),),
        item=name,
        set=TEXT_TO_TEXT,
        given=_text(prompt) if prompt else None,
    )


def clean_text(text: str, source: str, what: str) -> str:
    """Return text without white space around it. Raises ManifestError for text that is empty or can't be scored."""
    if not text.strip() or NOT_IN_TEXT.search(text):
        raise ManifestError(f"{source}: {what} is not text: {text[:100]!a}")
    return text.strip()


def _text(text: str) -> Sequence:
    return Sequence.of([TextSpan(text)])


def _columns(path: Path) -> tuple[str, ...] | None:
    """The columns of the form that a CSV file has; None if it has neither."""
    found = read_table(numbered_lines(path), str(path), ",").columns
    return next((names for names in (_STORY_COLUMNS, _MANIFEST_COLUMNS) if set(names) <= set(found)), None)


def _quiz(path: Path) -> Iterator[Pair | BadPair]:
    for line_number, row in table_rows(path, _STORY_COLUMNS):
        source, name = f"{path}: line {line_number}", f"line {line_number}"
        try:
            if isinstance(row, ManifestError):
                raise row
            cells = row.cells
            name = cells["InputStoryid"] or name
            texts = [clean_text(cells[column], source, column) for column in (*_SENTENCES, *_ENDINGS)]
            if (answer := cells["AnswerRightEnding"].strip()) not in ("1", "2"):
                raise ManifestError(f"{source}: AnswerRightEnding is {answer!a}, not 1 or 2")
        except ManifestError as error:
            yield BadPair(name, source, error, TEXT_TO_TEXT)
            continue
        *story, first, second = texts
        good, bad = (first, second) if answer == "1" else (second, first)
        yield text_story(name, source, " ".join(story), good, bad)


def _manifest(path: Path) -> Iterator[Pair | BadPair]:
    stories: dict[str, dict[str, str]] = {}
    sources: dict[str, str] = {}
    for line_number, row in table_rows(path, _MANIFEST_COLUMNS):
        source, name = f"{path}: line {line_number}", f"line {line_number}"
        try:
            if isinstance(row, ManifestError):
                raise row
            cells = row.cells
            name = cells["pair_id"] or name
            part = "prompt" if cells["type"].strip() == "prompt" else cells["correctness"].strip()
            if part not in ("prompt", "correct", "incorrect"):
                raise ManifestError(f"{source}: correctness is {part!a}, not correct or incorrect")
            text = clean_text(cells["text"], source, "text")
            story = stories.setdefault(name, {})
            # A prompt may be there for each ending.
            if story.setdefault(part, text) != text:
                raise ManifestError(
                    f"{source}: the {part} text of {name!a} was there before, with another text"
                )
            sources.setdefault(name, source)
        except ManifestError as error:
            yield BadPair(f"{name}, line {line_number}", source, error, TEXT_TO_TEXT)
    for name, story in stories.items():
        if missing := [part for part in ("correct", "incorrect") if part not in story]:
            reason = ManifestError(f"{sources[name]}: the {missing[0]} ending of {name!a} is missing")
            yield BadPair(name, sources[name], reason, TEXT_TO_TEXT)
        else:
            yield text_story(
                name, sources[name], story.get("prompt", ""), story["correct"], story["incorrect"]
            )
