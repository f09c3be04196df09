import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from rich.console import Console

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.evaluation.pair_files import read_pairs, table_rows
from spiritlm_cli.evaluation.pair_report import Accuracy, PairReport, PublishedAccuracy
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Comparison, Group, Lone, Pair, PairTask, Scorer
from spiritlm_cli.language.model import LanguageModel, Score
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Line, Sequence, TextSpan

T = TypeVar("T")


class Letters:
    """Each letter is a token: an `a` costs 1, any other 2; nothing with `!` can be scored."""

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | None] | None = None,
    ) -> Iterator[tuple[T, Outcome[Score]]]:
        def score(item: T) -> Score:
            text = sequence(item).text
            if "!" in text:
                raise TokenError("too loud")
            return Score(-float(sum(1 if letter == "a" else 2 for letter in text)), len(text))

        for item in items:
            yield item, Outcome.of(partial(score, item))


def written(text: str) -> Candidate:
    return Candidate(text, f"of {text}", Sequence.of([TextSpan(text)]))


def pair(good: str, bad: str, **fields: object) -> Pair:
    name = f"{good}-{bad}"
    return Pair(name, f"a.tsv: {name}", (written(good),), (written(bad),), **fields)  # type: ignore[arg-type]


def compared(*pairs: Pair, scorer: Scorer | None = None) -> list[Comparison]:
    found = [scored.comparison() for scored in PairTask(scorer or Letters()).score_stream(pairs)]
    return [comparison for comparison in found if comparison]


def test_the_likelier_wins_by_mean_and_by_sum() -> None:
    longer, tie, shorter = compared(pair("aaaa", "b"), pair("ab", "ba"), pair("b", "aaa"))
    assert (longer.by_mean, longer.by_sum) == (1.0, 0.0)
    assert (tie.by_mean, tie.by_sum) == (0.5, 0.5)
    assert (shorter.by_mean, shorter.by_sum) == (0.0, 1.0)
    parsed = json.loads(json.dumps(longer.to_json()))
    assert parsed["good"] == [{"name": "aaaa", "log_likelihood": -4.0, "tokens": 4, "mean": -1.0}]
    assert (parsed["id"], parsed["by_mean"], parsed["by_sum"]) == ("aaaa-b", 1.0, 0.0)


def test_each_of_several_meets_each_of_the_other_side() -> None:
    (found,) = compared(Pair("p", "here", (written("a"), written("b")), (written("ab"), written("b"))))
    # a beats ab and b; b loses to ab and ties with b
    assert found.by_mean == 2.5 / 4


def test_what_has_no_score_costs_its_pair_alone_and_all_stay_in_order() -> None:
    entries = [
        pair("a", "b"),
        BadPair("broken", "a.tsv: line 2", ManifestError("a.tsv: line 2: broken")),
        pair("a", "b!"),
        Lone("lone", "c.wav", written("c")),
        pair("b", "a"),
    ]
    scored = list(PairTask(Letters()).score_stream(entries))
    assert [one.entry for one in scored] == entries
    with pytest.raises(ManifestError, match="line 2: broken"):
        scored[1].comparison()
    with pytest.raises(TokenError, match=r"of b!: too loud"):
        scored[2].comparison()
    assert [name for name, _ in scored[2].known()] == ["a"]
    assert scored[3].comparison() is None
    assert list(scored[3].known()) == [("c", Score(-2.0, 1))]
    assert [one.comparison().by_mean for one in (scored[0], scored[4])] == [1.0, 0.0]  # type: ignore[union-attr]


def test_bad_ones_at_the_start_come_before_any_work() -> None:
    bad = BadPair("broken", "a.tsv: line 2", ManifestError("a.tsv: line 2: broken"))
    taken = []

    def entries() -> Iterator[BadPair | Pair]:
        yield bad
        taken.append("a pair")
        yield pair("a", "b")

    scored = PairTask(Letters()).score_stream(entries())
    assert next(scored).entry == bad
    assert taken == []
    assert [one.entry.id for one in scored] == ["a-b"]


def test_a_likelihood_that_is_no_number_is_an_error() -> None:
    class Overflown(Letters):
        def score_stream(
            self,
            items: Iterable[T],
            sequence: Callable[[T], Sequence],
            given: Callable[[T], Sequence | None] | None = None,
        ) -> Iterator[tuple[T, Outcome[Score]]]:
            for item, _ in super().score_stream(items, sequence, given):
                yield item, Outcome([Score(float("nan"), 1)])

    (scored,) = PairTask(Overflown()).score_stream([pair("a", "b")])
    with pytest.raises(TokenError, match="of a: the likelihood is not a number"):
        scored.comparison()


def test_clips_need_a_tokenizer(recording_file: Path) -> None:
    entry = Lone("lone", "c.wav", Candidate("c", "c.wav", Clip("c", recording_file)))
    with pytest.raises(ValueError, match="tokenizer"):
        list(PairTask(Letters()).score_stream([entry]))


def test_readings_are_averaged_before_items_and_groups_are_apart() -> None:
    rare, often = Group("frequency", "rare", 1), Group("frequency", "often", 0)
    report = PairReport.of(
        "wuggy",
        compared(
            # one of the first item's three readings is right, and the second item's only one
            pair("a", "b", item="1", voice="x", set="dev", groups=(rare,)),
            pair("b", "a", item="1", voice="y", set="dev", groups=(rare,)),
            pair("b", "aa", item="1", voice="z", set="dev", groups=(rare,)),
            pair("aa", "b", item="2", voice="x", set="dev", groups=(often,)),
            pair("b", "a", item="1", set="test"),
        ),
        skipped=3,
        published=(PublishedAccuracy("Base", 69.0),),
    )
    assert (report.items, report.pairs, report.skipped) == (3, 5, 3)
    rows = {(row.set, row.name): row for row in report.rows}
    assert list(rows) == [("dev", "overall"), ("dev", "often"), ("dev", "rare"), ("test", "overall")]
    assert rows["dev", "overall"].by_mean.accuracy == pytest.approx((1 / 3 + 1) / 2)
    # by sum aa and b are even, so that the first item has a third and a half of one
    assert rows["dev", "overall"].by_sum.accuracy == pytest.approx((1.5 / 3 + 0.5) / 2)
    assert (rows["dev", "rare"].items, rows["dev", "rare"].pairs) == (1, 3)
    assert rows["test", "overall"].by_mean.accuracy == 0.0
    assert json.loads(json.dumps(report.to_json()))["rows"][0]["by_mean"]["accuracy"] == pytest.approx(2 / 3)

    console = Console(width=100)
    with console.capture() as capture:
        console.print(report.table())
    printed = capture.get()
    for text in (
        "wuggy: 3 items, 5 pairs, 3 skipped",
        "dev frequency: rare",
        "33.3 [33.3–33.3]",
        "69.0",
    ):
        assert text in printed


def test_no_pairs_no_report() -> None:
    with pytest.raises(ManifestError, match="no pair was scored"):
        PairReport.of("pairs", [])
    with pytest.raises(ValueError, match="at least one"):
        Accuracy.of([])


def test_the_interval_is_that_of_a_binomial() -> None:
    found = Accuracy.of([1.0] * 60 + [0.0] * 40)
    assert found.accuracy == pytest.approx(0.6)
    # 1.96 standard errors of √(.6 × .4 / 100)
    assert (found.low, found.high) == pytest.approx((0.504, 0.696), abs=0.02)


def test_rows_of_a_tsv(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    lines = [
        "id\tgood\tbad\ttype\tgiven\tmore",
        'p1\t[TEXT]The "cat\t[SPEECH][Hu1][Hu2]\tmixed\t\tx',
        "\tplain\tplane\t\t\t",
        "p3\t[TEXT]a\tb [Hu-1]\t\t\t",
        "p4\ta\t\t\t\t",
        "p5\ta\tb",
        "p1\ta\tb\t\t\t",
        "9\ta\tb\t\t[TEXT]before[Hu+1]\t",
        "\ta\tb\t\t[TEXT]before\t",
    ]
    path.write_text("\n".join(lines) + "\n")
    first, second, *bad, last = read_pairs(path)
    assert isinstance(last, Pair)
    assert isinstance(first, Pair)
    assert (first.given, last.given) == (None, Line(Sequence.of([TextSpan("before")])))
    assert isinstance(second, Pair)
    assert (first.id, first.groups) == ("p1", (Group("type", "mixed"),))
    assert first.good[0].content == Sequence.of([TextSpan('The "cat')])
    assert isinstance(first.bad[0].content, Sequence)
    assert len(first.bad[0].content.speech[0].units) == 2
    assert (second.id, second.groups) == ("3", ())
    assert [entry.id for entry in bad] == ["p3", "p4", "6", "p1", "9"]
    wanted = [
        # the cell begins at column 12, the token at its third character
        f"{path}: line 4, column 14: '[Hu-1]' is not a unit",
        f"{path}: line 5: bad is empty",
        f"{path}: line 6: 3 columns, but line 1 names 6",
        f"{path}: line 7: id 'p1' was there before",
        # the cell begins at column 12
        f"{path}: line 8, column 20: '[Hu+1]' is not a unit",
    ]
    for entry, text in zip(bad, wanted, strict=True):
        assert isinstance(entry, BadPair)
        assert str(entry.error).startswith(text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"good\tworse\n", "line 1: no column is named bad, only: good, worse"),
        (b"good\tbad\na\tb\n\xff\tb\n", "not UTF-8"),
    ],
)
def test_files_that_are_no_pairs(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=reason):
        list(read_pairs(path))
    with pytest.raises(ManifestError, match=r"no\.tsv: can't be read"):
        list(read_pairs(tmp_path / "no.tsv"))


def test_a_csv_may_quote(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text('\ufeffid,text\n1,"one, ""two"""\n', encoding="utf-8")
    ((number, row),) = table_rows(path, ["id"])
    assert number == "2"
    assert not isinstance(row, SpiritLMError)
    assert row.cells == {"id": "1", "text": 'one, "two"'}
    path.write_text('id,text\n1,"one\n')
    with pytest.raises(ManifestError, match="after line 1: not CSV"):
        list(table_rows(path, ["id"]))


def test_on_a_language_model(release_tree: Path) -> None:
    lm = LanguageModel.load(str(release_tree), device="cpu")
    (found,) = compared(pair("the cat", "cat the cat"), scorer=lm)
    assert found.good == (lm.score(Sequence.of([TextSpan("the cat")])),)
    assert found.by_mean == float(found.good[0].mean > found.bad[0].mean)
    given = Sequence.of([TextSpan("the cat")])
    (found,) = compared(pair(" sat", " sits", given=given), scorer=lm)
    assert found.good == (lm.score(Sequence.of([TextSpan(" sat")]), given),)
    # what doesn't fit into the context is that pair's error
    scored = list(PairTask(lm).score_stream([pair("a", "the cat " * 4000), pair("a", "a")]))
    with pytest.raises(TokenError, match="context"):
        scored[0].comparison()
    even = scored[1].comparison()
    assert even
    assert (even.by_mean, even.by_sum) == (0.5, 0.5)
