"""`mmlu`: multiple-choice questions of 57 subjects (Hendrycks et al. 2021), answered by the likeliest letter."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow
from spiritlm_cli.manifests.tables import csv_rows
from spiritlm_cli.manifests.word_times import NOT_IN_TEXT
from spiritlm_cli.text_files import numbered_lines

LETTERS = ("A", "B", "C", "D")

# The categories of the original evaluation, in its order.
# fmt: off
CATEGORIES = {
    "STEM": (
        "abstract_algebra", "astronomy", "college_biology", "college_chemistry", "college_computer_science",
        "college_mathematics", "college_physics", "computer_security", "conceptual_physics",
        "electrical_engineering", "elementary_mathematics", "high_school_biology", "high_school_chemistry",
        "high_school_computer_science", "high_school_mathematics", "high_school_physics",
        "high_school_statistics", "machine_learning",
    ),
    "humanities": (
        "formal_logic", "high_school_european_history", "high_school_us_history",
        "high_school_world_history", "international_law", "jurisprudence", "logical_fallacies",
        "moral_disputes", "moral_scenarios", "philosophy", "prehistory", "professional_law",
        "world_religions",
    ),
    "social sciences": (
        "econometrics", "high_school_geography", "high_school_government_and_politics",
        "high_school_macroeconomics", "high_school_microeconomics", "high_school_psychology",
        "human_sexuality", "professional_psychology", "public_relations", "security_studies", "sociology",
        "us_foreign_policy",
    ),
    "other": (
        "anatomy", "business_ethics", "clinical_knowledge", "college_medicine", "global_facts",
        "human_aging", "management", "marketing", "medical_genetics", "miscellaneous", "nutrition",
        "professional_accounting", "professional_medicine", "virology",
    ),
}
# fmt: on

PUBLISHED = tuple(
    Published(what, {"accuracy": percent})
    for what, percent in (("Base, 5-shot", 36.9), ("Expressive, 5-shot", 33.3), ("Llama 2 7B, 5-shot", 46.2))
)

_METRICS = (Metric("accuracy", "accuracy"),)
_NOTES = (
    "The answer is the likeliest of the letters A to D; of equal ones (ties) the first, as in the original.",
    "A prompt that is too long has fewer examples (shortened prompts).",
)


@dataclass(frozen=True)
class Question:
    """A question with four choices.

    number: of its row in the subject's file, from 1. source: file and line, for errors. answer: index of the right
    choice.
    """

    subject: str
    number: int
    source: str
    text: str
    choices: tuple[str, ...]
    answer: int

    @property
    def id(self) -> str:
        """Such as `anatomy/12`."""
        return f"{self.subject}/{self.number}"


@dataclass(frozen=True)
class BadQuestion:
    """A row that can't be used, and the reason."""

    id: str
    source: str
    error: ManifestError


@dataclass(frozen=True)
class Subject:
    """A subject: its name, the file of its questions, and that of the examples of its prompts."""

    name: str
    questions: Path
    examples: Path


def find_subjects(folder: Path, split: str = "test", names: Collection[str] = ()) -> list[Subject]:
    """Return the subjects of a split, sorted by name.

    folder: with `dev/{subject}_dev.csv` and `{split}/{subject}_{split}.csv`, or with a folder `data` that has these.
    names: those to return; empty for all. Raises ManifestError if there are none, or one of `names` is not there.
    """
    root = folder if (folder / split).is_dir() else folder / "data"
    ending = f"_{split}.csv"
    found = {path.name.removesuffix(ending): path for path in sorted((root / split).glob(f"*{ending}"))}
    if not found:
        raise ManifestError(
            f"{folder}: has no {split}/*{ending}; MMLU's data.tar is unpacked to dev, val and test"
        )
    if unknown := sorted(set(names) - set(found)):
        raise ManifestError(f"{root / split}: no {', '.join(name + ending for name in unknown)}")
    return [
        Subject(name, path, root / "dev" / f"{name}_dev.csv")
        for name, path in found.items()
        if not names or name in names
    ]


def read_questions(path: Path, subject: str) -> Iterator[Question | BadQuestion]:
    """Read the rows of a file, in order.

    CSV without a header line: the question, four choices, and the letter of the right one. Cells are text, verbatim; in
    quotes they may have line breaks. Raises ManifestError if the file can't be read.
    """
    rows = csv_rows(numbered_lines(path), str(path))
    for number, (line_number, cells) in enumerate(rows, 1):
        source = f"{path}: line {line_number}"
        try:
            yield _question(cells, subject, number, source)
        except ManifestError as error:
            yield BadQuestion(f"{subject}/{number}", source, error)


def _question(cells: list[str] | ManifestError, subject: str, number: int, source: str) -> Question:
    if isinstance(cells, ManifestError):
        raise cells
    if len(cells) != len(LETTERS) + 2:
        raise ManifestError(
            f"{source}: {len(cells)} columns, not 6: a question, the choices A to D, and the letter of the answer"
        )
    if any(NOT_IN_TEXT.search(cell) for cell in cells):
        raise ManifestError(f"{source}: holds NUL")
    text, *choices, letter = cells
    if letter.strip() not in LETTERS:
        raise ManifestError(f"{source}: the answer is {letter[:20]!a}, not A, B, C or D")
    return Question(subject, number, source, text, tuple(choices), LETTERS.index(letter.strip()))


def read_examples(subject: Subject, shots: int) -> list[Question]:
    """Read the first examples of a subject. Raises ManifestError if there are fewer than `shots`, or one is invalid."""
    examples: list[Question] = []
    if not shots:
        return examples
    for question in read_questions(subject.examples, subject.name):
        if isinstance(question, BadQuestion):
            raise question.error
        examples.append(question)
        if len(examples) == shots:
            return examples
    raise ManifestError(f"{subject.examples}: has {len(examples)} examples; --shots {shots} needs more")


def prompt(question: Question, examples: Sequence[Question]) -> str:
    """Build the original prompt: a heading, examples with their answers, and the question up to `Answer:`.

    The heading has two spaces before the subject, as in the code of Hendrycks et al.
    """
    subject = question.subject.replace("_", " ")
    heading = f"The following are multiple choice questions (with answers) about  {subject}.\n\n"
    solved = (f"{_unanswered(example)} {LETTERS[example.answer]}\n\n" for example in examples)
    return heading + "".join(solved) + _unanswered(question)


def _unanswered(question: Question) -> str:
    choices = (f"{letter}. {choice}" for letter, choice in zip(LETTERS, question.choices, strict=True))
    return "\n".join((question.text, *choices, "Answer:"))


@dataclass(frozen=True)
class FittedPrompt:
    """The ids of a prompt, the number of its examples, and how many there would be without a limit."""

    ids: list[int]
    shots: int
    shots_wanted: int


def fit_prompt(
    question: Question, examples: Sequence[Question], encode: Callable[[str], list[int]], max_tokens: int
) -> FittedPrompt:
    """Encode a prompt with as many of the first examples as fit, as the original does.

    encode: text to token ids. Raises ManifestError if the question alone has more than `max_tokens`.
    """
    ids: list[int] = []
    for shots in range(len(examples), -1, -1):
        ids = encode(prompt(question, examples[:shots]))
        if len(ids) <= max_tokens:
            return FittedPrompt(ids, shots, len(examples))
    raise ManifestError(
        f"{question.source}: the question has {len(ids)} tokens; the prompt has room for {max_tokens}"
    )


def answer_record(question: Question, fitted: FittedPrompt, log_likelihoods: Sequence[float]) -> Record:
    """Make the record of a question from the log-likelihood of each letter. The first of equal ones is the choice."""
    best = max(log_likelihoods)
    choice = log_likelihoods.index(best)
    return {
        "subject": question.subject,
        "log_likelihoods": dict(zip(LETTERS, log_likelihoods, strict=True)),
        "choice": LETTERS[choice],
        "answer": LETTERS[question.answer],
        "correct": choice == question.answer,
        "tie": log_likelihoods.count(best) > 1,
        "shots": fitted.shots,
        "shots_wanted": fitted.shots_wanted,
        "prompt_tokens": len(fitted.ids),
    }


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Average the answers over questions and over subjects, and by category and by subject.

    records: of `answer_record`, one at least. The average over subjects gives each subject the same weight.
    """
    members: dict[str, list[float]] = {}
    for record in records:
        members.setdefault(record["subject"], []).append(float(record["correct"]))
    rows = [
        _row("over questions", [float(record["correct"]) for record in records], published=PUBLISHED),
        ResultRow("over subjects", len(records), {"accuracy": _over_subjects(records)}),
    ]
    for category, subjects in CATEGORIES.items():
        if values := [value for subject in subjects for value in members.get(subject, ())]:
            rows.append(_row(category, values, "category"))
    rows += (_row(subject, values, "subject") for subject, values in sorted(members.items()))
    counts = {
        "ties": sum(record["tie"] for record in records),
        "shortened prompts": sum(record["shots"] < record["shots_wanted"] for record in records),
    }
    return EvaluationResult(description, len(records), _METRICS, tuple(rows), _NOTES, counts)


def _row(
    name: str, values: list[float], kind: str | None = None, published: tuple[Published, ...] = ()
) -> ResultRow:
    return ResultRow(name, len(values), {"accuracy": Estimate.of_mean(values)}, kind, published=published)


def _over_subjects(records: Sequence[Record]) -> Estimate:
    """Mean of the accuracies of subjects; in a resample, of the subjects that are drawn."""
    names = {name: index for index, name in enumerate(dict.fromkeys(record["subject"] for record in records))}
    subjects = np.array([names[record["subject"]] for record in records])
    correct = np.array([record["correct"] for record in records], dtype=np.float64)

    def mean(drawn: NDArray[np.int64]) -> float:
        counts = np.bincount(subjects[drawn], minlength=len(names))
        right = np.bincount(subjects[drawn], weights=correct[drawn], minlength=len(names))
        return float((right[counts > 0] / counts[counts > 0]).mean())

    return Estimate.of(mean, len(records))
