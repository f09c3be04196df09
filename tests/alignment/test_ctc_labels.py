import pytest

from spiritlm_cli.alignment.ctc_labels import TargetLabels, Vocabulary
from spiritlm_cli.errors import AlignmentError

LETTERS = {letter: label for label, letter in enumerate("ETAONIHSRDLUMWCFGYPBVK'XJQZ", start=5)}
ENGLISH = Vocabulary(LETTERS, blank=0, delimiter=4)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("twenty-five", ["TWENTY", "FIVE"]),
        ("Mr.", ["MISTER"]),
        ("naïve", ["NAIVE"]),
        ("Straße", ["STRASSE"]),
        ("don’t", ["DON'T"]),
        ("‘tis", ["TIS"]),
        ("--", []),
    ],
)
def test_parts_of_english_tokens(token: str, words: list[str]) -> None:
    assert [spelled(word, ENGLISH) for part in ENGLISH.parts(token) for word in part[0]] == words


def spelled(word: list[int], vocabulary: Vocabulary) -> str:
    symbols = {label: symbol for symbol, label in vocabulary.letters.items()}
    return "".join(symbols[label] for label in word)


@pytest.mark.parametrize(
    ("alphabet", "token", "words"),
    [
        ("abcdefghijklmnopqrstuvwxyzäöüß", "„Größe“", ["größe"]),
        ("abcdefghijklmnopqrstuvwxyzäöü", "Größe", ["grösse"]),
        ("abcdefghijklmnopqrstuvwxyzé", "Jean-Clément,", ["jean", "clément"]),
        ("αβγδεζηθικλμνξοπρστυφχψωςέή", "Καλημέρα!", ["καλημέρα"]),
        ("αβγδεζηθικλμνξοπρστυφχψως", "Καλημέρα!", ["καλημερα"]),
        ("हनदि्ी", "हिन्दी", ["हिन्दी"]),
        ("你好", "你好。", ["你好"]),
        ("abcdefgh", "cheese", ["cheee"]),
    ],
)
def test_parts_in_other_vocabularies(alphabet: str, token: str, words: list[str]) -> None:
    vocabulary = Vocabulary({letter: label for label, letter in enumerate(alphabet, start=1)}, 0, None)
    assert [spelled(word, vocabulary) for part in vocabulary.parts(token) for word in part[0]] == words


def test_parts_without_a_known_letter() -> None:
    with pytest.raises(AlignmentError, match="'Καλημέρα' has a word of which the model has no letter"):
        ENGLISH.parts("Καλημέρα")


def test_parts_depend_on_the_token_before() -> None:
    assert [spelled(word, ENGLISH) for part in ENGLISH.parts("AM", "10:00") for word in part[0]] == ["A", "M"]
    assert [spelled(word, ENGLISH) for part in ENGLISH.parts("AM") for word in part[0]] == ["AM"]


def test_target_labels() -> None:
    labels = TargetLabels.of([[], [[[1, 2]]], [], [[[3]]], []], delimiter=4)
    assert labels.targets.tolist() == [1, 2, 4, 3]
    assert labels.is_letter.tolist() == [True, True, False, True]
    assert labels.spans == (None, (0, 2), None, (3, 4), None)
    without = TargetLabels.of([[[[1], [2]]]], delimiter=None)
    assert without.targets.tolist() == [1, 2]
    assert without.is_letter.all()
