from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import soundfile
from pair_fixtures import LetterScorer, compare, pair, text_candidate

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AudioError, ManifestError, TokenError
from spiritlm_cli.evaluation.pair_scoring import MARKER_GIVEN, PairScorer
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, JoinedClips, Pair, Unpaired
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import CountedTokens, Score
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import timed_units

T = TypeVar("T")


def test_score_stream_keeps_order_and_isolates_errors() -> None:
    entries = [
        pair("a", "b"),
        BadPair("broken", "a.tsv: line 2", ManifestError("a.tsv: line 2: broken")),
        pair("a", "b!"),
        Unpaired("single", "c.wav", text_candidate("c")),
        pair("b", "a"),
    ]
    scored = list(PairScorer(LetterScorer()).score_stream(entries))
    assert [one.entry for one in scored] == entries
    with pytest.raises(ManifestError, match="line 2: broken"):
        scored[1].comparison()
    with pytest.raises(TokenError, match=r"of b!: too loud"):
        scored[2].comparison()
    assert scored[3].comparison() is None
    assert scored[3].to_record()["good"] == [{"name": "c", "log_likelihood": -2.0, "tokens": 1, "mean": -2.0}]
    assert [one.comparison().by_mean for one in (scored[0], scored[4])] == [1.0, 0.0]  # type: ignore[union-attr]


def test_score_stream_yields_leading_bad_pairs_first() -> None:
    bad = BadPair("broken", "a.tsv: line 2", ManifestError("a.tsv: line 2: broken"))
    taken = []

    def entries() -> Iterator[BadPair | Pair]:
        yield bad
        taken.append("a pair")
        yield pair("a", "b")

    scored = PairScorer(LetterScorer()).score_stream(entries())
    assert next(scored).entry == bad
    assert taken == []
    assert [one.entry.id for one in scored] == ["a-b"]


def test_nan_likelihood_is_an_error() -> None:
    class Overflown(LetterScorer):
        def score_stream(
            self,
            items: Iterable[T],
            sequence: Callable[[T], Sequence],
            given: Callable[[T], Sequence | None] | None = None,
            counted: CountedTokens | None = None,
        ) -> Iterator[tuple[T, Outcome[Score]]]:
            for item, _ in super().score_stream(items, sequence, given, counted):
                yield item, Outcome([Score(float("nan"), 1)])

    (scored,) = PairScorer(Overflown()).score_stream([pair("a", "b")])
    with pytest.raises(TokenError, match="of a: the likelihood is not a number"):
        scored.comparison()


def test_clips_need_a_tokenizer(recording_file: Path) -> None:
    entry = Unpaired("single", "c.wav", Candidate("c", "c.wav", Clip("c", recording_file)))
    with pytest.raises(ValueError, match="tokenizer"):
        list(PairScorer(LetterScorer()).score_stream([entry]))


def test_score_stream_of_a_language_model(release_tree: Path) -> None:
    lm = LanguageModel.load(str(release_tree), device="cpu")
    (found,) = compare(pair("the cat", "cat the cat"), scorer=lm)
    assert found.good == (lm.score(Sequence.of([TextSpan("the cat")]), counted=MARKER_GIVEN),)
    assert found.by_mean == float(found.good[0].mean > found.bad[0].mean)
    given = Sequence.of([TextSpan("the cat")])
    (found,) = compare(pair(" sat", " sits", given=given), scorer=lm)
    assert found.good == (lm.score(Sequence.of([TextSpan(" sat")]), given),)
    # what doesn't fit into the context is that pair's error
    scored = list(PairScorer(lm).score_stream([pair("a", "the cat " * 4000), pair("a", "a")]))
    with pytest.raises(TokenError, match="context"):
        scored[0].comparison()
    even = scored[1].comparison()
    assert even
    assert (even.by_mean, even.by_sum) == (0.5, 0.5)


@pytest.fixture(scope="module")
def wavs(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A story of 1.3 s, two endings, and one that is too short."""
    samples, rate = soundfile.read(recording_file, dtype="float32")
    folder = tmp_path_factory.mktemp("wavs")
    lengths = {"mutual": 20800, "correct": 9600, "incorrect": 12800, "short": 100}
    files = {}
    for start, (name, length) in enumerate(lengths.items(), 1):
        files[name] = folder / f"{name}.wav"
        soundfile.write(files[name], samples[24000 * start : 24000 * start + length], rate)
    return files


@pytest.fixture(scope="module")
def speech_scorer(release_tree: Path) -> PairScorer:
    return PairScorer.load(str(release_tree), speech=True, device="cpu")


def candidates(contents: dict[str, Sequence | Clip | JoinedClips]) -> tuple[Candidate, ...]:
    return tuple(Candidate(name, f"{name} ending", content) for name, content in contents.items())


def test_context_and_candidates_in_both_modalities(speech_scorer: PairScorer, wavs: dict[str, Path]) -> None:
    lm, tokenizer = speech_scorer.scorer, speech_scorer.tokenizer
    assert isinstance(lm, LanguageModel)
    assert tokenizer
    clips = {name: Clip(name, path) for name, path in wavs.items()}
    units = {name: tokenizer.tokenize(read_clip(clip)) for name, clip in clips.items() if name != "short"}
    text = Sequence.of([TextSpan("the cat")])
    sides = {"correct": Sequence.of([TextSpan("sat")]), "incorrect": text}
    to_text = Pair("s-t", "a", *((side,) for side in candidates(dict(sides))), given=clips["mutual"])
    spoken = {name: clips[name] for name in ("correct", "incorrect")}
    to_speech = Pair("t-s", "a", *((side,) for side in candidates(dict(spoken))), given=text)
    bad = Pair("bad", "a", *((side,) for side in candidates(dict(sides))), given=clips["short"])
    scored = list(speech_scorer.score_stream([to_text, bad, to_speech]))
    first, last = scored[0].comparison(), scored[2].comparison()
    assert first
    assert last
    for name, score in zip(sides, (*first.good, *first.bad), strict=True):
        alone = lm.score(sides[name], Line(units["mutual"], opens="text"))
        assert score.tokens == alone.tokens == len(lm.vocabulary.encode(sides[name])) - 2
        assert score.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-4)
    for name, score in zip(spoken, (*last.good, *last.bad), strict=True):
        alone = lm.score(units[name], Line(text, opens="speech"))
        assert score.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-4)
    with pytest.raises(AudioError, match=r"correct ending: .*short\.wav"):
        scored[1].comparison()


def test_joined_clips_are_tokenized_as_one(speech_scorer: PairScorer, wavs: dict[str, Path]) -> None:
    lm, tokenizer = speech_scorer.scorer, speech_scorer.tokenizer
    assert isinstance(lm, LanguageModel)
    assert tokenizer
    mutual, correct = (Clip(name, wavs[name]) for name in ("mutual", "correct"))
    joined = JoinedClips("x", mutual, correct)
    entry = Unpaired("x", "x.wav", Candidate("x", "x.wav", joined))
    samples = np.concatenate([read_clip(clip).samples for clip in (mutual, correct)])
    timed = timed_units(tokenizer.encode(Waveform(samples, 16000)))
    first = int((timed.seconds < 1.3).sum())
    given, rest = (Sequence.of([SpeechSpan(part)]) for part in (timed.units[:first], timed.units[first:]))
    for counted in (MARKER_GIVEN, CountedTokens(marker=False, context=True)):
        (scored,) = replace(speech_scorer, counted=counted).score_stream([entry])
        score = scored.scores[0].result()
        alone = lm.score(rest, given, counted)
        assert (
            score.tokens
            == alone.tokens
            == (len(rest.speech[0].units) if not counted.context else len(timed.units))
        )
        assert score.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-4)
    # a clip at a time gives the same score
    scores = [
        [
            one.scores[0].result()
            for one in scorer.score_stream([entry, Unpaired("y", "y", Candidate("y", "y", correct))])
        ]
        for scorer in (speech_scorer, replace(speech_scorer, batch_seconds=0.1, workers=1))
    ]
    assert scores[0] == scores[1]
    # after 1.3 s, a few samples have no unit of their own
    short = JoinedClips("x", Clip("mutual", wavs["mutual"]), Clip("short", wavs["short"]))
    (scored,) = speech_scorer.score_stream([Unpaired("x", "x.wav", Candidate("x", "x.wav", short))])
    with pytest.raises(TokenError, match=r"x\.wav: too short for a unit"):
        scored.comparison()
