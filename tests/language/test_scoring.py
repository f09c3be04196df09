"""Log-likelihoods of sequences."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import CountedTokens, Score, ScoredChoices, ScoredIds
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan

TEXT = parse_sequence("[TEXT]the cat sat on")
SPEECH = parse_sequence("[SPEECH][St3][Pi8][Hu365][Hu186]")


def test_mean_is_per_token() -> None:
    assert Score(-6.0, 4).mean == -1.5
    assert Score(0.0, 0).mean == 0.0


def test_score_ids_equals_the_published_log_likelihoods(
    models: dict[str, LanguageModel], published: list[dict[str, Any]]
) -> None:
    for case in published:
        score = models[case["model"]].score_ids(case["prompt_ids"])
        assert score.log_likelihood == pytest.approx(case["log_likelihood"], abs=1e-3)
        assert score.tokens == case["tokens_scored"]


def test_score_equals_score_ids(lm: LanguageModel) -> None:
    assert lm.score(SPEECH) == lm.score_ids(lm.vocabulary.encode(SPEECH))
    assert lm.score(Sequence()).tokens == 0
    assert lm.score(Sequence()).log_likelihood == 0


def test_score_stream_does_not_depend_on_the_batch(lm: LanguageModel) -> None:
    lines = [
        TEXT, SPEECH, Sequence(), parse_sequence("[TEXT]a"), parse_sequence("[SPEECH][Hu3][TEXT]the mat [SPEECH][Hu7]"),
        Sequence((SpeechSpan(SPEECH.speech[0].units * 200),)), *[TEXT] * 5,
    ]  # fmt: skip
    alone = [lm.score(line) for line in lines]
    for order in (lines, lines[::-1], lines[2:7]):
        scored = [(line, score.result()) for line, score in lm.score_stream(order, lambda line: line)]
        assert scored == [(line, alone[lines.index(line)]) for line in order]


def test_score_stream_keeps_an_error_in_its_item(lm: LanguageModel) -> None:
    lines = ["[TEXT]the cat", "[SPEECH][Hu501]", "[SPEECH]" + "[Hu1]" * 5000, "[Hu01]", "[TEXT]the cat"]
    results: list[tuple[str, object]] = []
    for line, score in lm.score_stream(lines, parse_sequence):
        try:
            results.append((line, score.result().tokens))
        except TokenError as error:
            results.append((line, str(error)))
    assert [line for line, _ in results] == lines
    counts = [tokens for _, tokens in results]
    assert counts[0] == counts[4] == lm.score(parse_sequence(lines[0])).tokens
    assert "[Hu0] to [Hu500]" in str(counts[1])
    assert "5002 tokens; the model's context is 4096" in str(counts[2])
    assert "not a unit" in str(counts[3])


@torch.inference_mode()
def test_greedy_tells_the_most_likely_tokens(lm: LanguageModel) -> None:
    prompt = lm.vocabulary.encode(TEXT)
    logits = lm.network.next_logits([torch.tensor(prompt)], [lm.network.new_cache()])
    best, other = logits[0].topk(2).indices.tolist()
    scored = [ScoredIds([*prompt, token], len(prompt)) for token in (best, other)]
    stream = lm.score_ids_stream([0, 1, 0], scored.__getitem__)
    assert [outcome.result().greedy for _, outcome in stream] == [True, False, True]


def test_score_choices_stream_equals_score_ids_stream(lm: LanguageModel) -> None:
    text, speech = lm.vocabulary.encode(TEXT), lm.vocabulary.encode(SPEECH)
    items = [
        ScoredChoices(text, ((5,), (9,), (300,))),
        ScoredChoices(speech, ((5, 9), (300,), (7, 8, 9))),
        ScoredChoices(text[:1], ((5,), (9,))),
        ScoredChoices(text, ((9, 5),)),
    ]
    for item, outcome in lm.score_choices_stream(items, lambda item: item):
        alone = lm.score_ids_stream(
            item.continuations,
            lambda ids, context=item.context: ScoredIds([*context, *ids], len(context)),  # type: ignore[misc]
        )
        for one, (ids, expected) in zip(outcome.result(), alone, strict=True):
            assert (one.tokens, one.greedy) == (len(ids), expected.result().greedy)
            assert one.log_likelihood == pytest.approx(expected.result().log_likelihood, abs=1e-5)
        assert item.one_token is all(len(ids) == 1 for ids in item.continuations)


def test_choices_that_are_too_long_are_an_error() -> None:
    choices = ScoredChoices([1, 2], ((3,), (3, 4, 5)))
    choices.check_length(5)
    with pytest.raises(TokenError, match="5 tokens; the model's context is 4"):
        choices.check_length(4)
    assert choices.size == 3 + 5
    assert ScoredChoices([1, 2], ((3,), (4,))).size == 2


def test_score_tokens_stream_scores_the_parts_of_items(lm: LanguageModel) -> None:
    text, speech = lm.vocabulary.encode(TEXT), lm.vocabulary.encode(SPEECH)
    parts = [[ScoredIds(text, 1), ScoredIds(speech, 3)], [ScoredIds(speech, 1)]]
    found = [(index, list(outcome)) for index, outcome in lm.score_tokens_stream([0, 1], parts.__getitem__)]
    assert [(index, [len(part.greedy) for part in tokens]) for index, tokens in found] == [
        (0, [len(text) - 1, len(speech) - 3]),
        (1, [len(speech) - 1]),
    ]
    whole = found[0][1][0].log_probabilities.double().sum().item()
    assert whole == lm.score(TEXT).log_likelihood


def test_score_equals_transformers(
    lm: LanguageModel, small_release: Path, load_reference: Callable[[Path], LlamaForCausalLM]
) -> None:
    folder = small_release / "spiritlm_model" / "spirit-lm-expressive-7b"
    network = load_reference(folder)
    for line in (TEXT, SPEECH, parse_sequence("[SPEECH][Hu3][TEXT]the mat [SPEECH][Hu7]")):
        ids = torch.tensor([lm.vocabulary.encode(line)])
        with torch.inference_mode():
            logits = network(input_ids=ids).logits[0, :-1]
        expected = logits.log_softmax(-1).gather(1, ids[0, 1:, None]).sum().item()
        score = lm.score(line)
        assert score.log_likelihood == pytest.approx(expected, abs=1e-4)
        assert score.mean == score.log_likelihood / score.tokens


def test_tokens_of_the_context_are_not_scored(lm: LanguageModel) -> None:
    whole = parse_sequence("[TEXT]the cat [SPEECH][Hu3][Hu7][Hu200]")
    given, rest = Sequence(whole.spans[:1]), Sequence(whole.spans[1:])
    after = lm.score(rest, given)
    assert after.tokens == 4  # the marker and three units
    assert after.log_likelihood == pytest.approx(
        lm.score(whole).log_likelihood - lm.score(given).log_likelihood, abs=1e-4
    )
    # units that continue units have no marker
    units = parse_sequence("[SPEECH][Hu3]"), parse_sequence("[SPEECH][Hu7][Hu200]")
    assert lm.score(units[1], units[0]).tokens == 2
    both = lm.score(parse_sequence("[SPEECH][Hu3][Hu7][Hu200]"))
    assert both.log_likelihood == pytest.approx(
        lm.score(units[0]).log_likelihood + lm.score(units[1], units[0]).log_likelihood, abs=1e-4
    )
    assert lm.score(Sequence(), whole).tokens == 0
    # a bare marker at the end of the context is not scored if the sequence starts with its modality
    opened = lm.score(rest, parse_line("[TEXT]the cat [SPEECH]"))
    assert opened.tokens == 3
    marker = lm.score_ids(lm.vocabulary.encode(given, "speech")).log_likelihood
    assert opened.log_likelihood == pytest.approx(
        after.log_likelihood - marker + lm.score(given).log_likelihood, abs=1e-4
    )
    assert lm.score(given, parse_line("[SPEECH]")) == lm.score(given)
    contexts = [given, None]
    stream = lm.score_stream(contexts, lambda _: rest, lambda context: context)
    assert [score.result() for _, score in stream] == [after, lm.score(rest)]


def test_a_given_marker_is_not_counted(lm: LanguageModel) -> None:
    ids = lm.vocabulary.encode(TEXT)
    counted, given = lm.score(TEXT), lm.score(TEXT, counted=CountedTokens(marker=False))
    assert (counted.tokens, given.tokens) == (len(ids) - 1, len(ids) - 2)
    marker = lm.score_ids(ids[:2]).log_likelihood
    assert given.log_likelihood == pytest.approx(counted.log_likelihood - marker, abs=1e-4)
    # after text, the marker of speech is given; what continues the text has none
    units = parse_sequence("[SPEECH][Hu3][Hu7]")
    assert lm.score(units, TEXT, CountedTokens(marker=False)) == lm.score(
        units, parse_line("[TEXT]the cat sat on[SPEECH]")
    )
    assert lm.score(parse_sequence("[TEXT] it"), TEXT, CountedTokens(marker=False)) == lm.score(
        parse_sequence("[TEXT] it"), TEXT
    )
    # markers inside of a sequence count
    mixed = parse_sequence("[TEXT]the cat[SPEECH][Hu3]")
    assert lm.score(mixed, counted=CountedTokens(marker=False)).tokens == lm.score(mixed).tokens - 1


def test_the_context_can_be_counted(lm: LanguageModel) -> None:
    given, rest = parse_sequence("[TEXT]the cat"), parse_sequence("[SPEECH][Hu3][Hu7]")
    whole = lm.score(Sequence.of((*given.spans, *rest.spans)))
    assert lm.score(rest, given, CountedTokens(context=True)) == whole
    # without the markers that open the context and the sequence
    score = lm.score(rest, given, CountedTokens(marker=False, context=True))
    assert score.tokens == whole.tokens - 2
    parts = [
        lm.score(given, counted=CountedTokens(marker=False)),
        lm.score(rest, given, CountedTokens(marker=False)),
    ]
    assert score.log_likelihood == pytest.approx(sum(part.log_likelihood for part in parts), abs=1e-4)


def test_prosody_can_be_left_out(lm: LanguageModel) -> None:
    ids = lm.vocabulary.encode(SPEECH)
    score = lm.score(SPEECH, counted=CountedTokens(marker=False, prosody=False))
    before = lm.score_ids(ids[:-2]).log_likelihood
    assert score.tokens == 2
    assert score.log_likelihood == pytest.approx(lm.score_ids(ids).log_likelihood - before, abs=1e-4)
    with pytest.raises(TokenError, match="no token that counts"):
        lm.score(parse_sequence("[SPEECH][St3]"), counted=CountedTokens(marker=False, prosody=False))
