from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import Published
from spiritlm_cli.evaluation.scored_text import ScoredText
from spiritlm_cli.evaluation.spoken_result import spoken_result

RUN = RunDescription("asr", "0")
PUBLISHED = {
    "test-clean": (Published("clean", {"wer": 1.0}),),
    "test-other": (Published("other", {"wer": 2.0}),),
}


def record(name: str | None, reference: str, text: str) -> Record:
    return {"set": name, **ScoredText.score(reference, text).to_json()}


def test_spoken_result_has_a_row_for_each_set() -> None:
    asked = {"cut": True, "finished": False, "examples": ["x", "y"], "seconds": 2.5}
    records = [record("test-clean", "a b", "a b") | asked, record("test-other", "a b", "a") | asked]
    result = spoken_result(RUN, records, "speech to text", PUBLISHED)
    assert result.row("speech to text", set="test-clean").values["wer"].value == 0.0
    other = result.row("speech to text", set="test-other")
    assert other.values["wer"].value == 0.5
    assert [one.what for one in other.published] == ["other"]
    assert result.counts == {"seconds": 5.0, "prompts cut": 2, "answers unfinished": 2}
    assert result.notes == ("Examples in a prompt: 2.0 on average, at most 2: x, y.",)


def test_spoken_result_without_sets_or_prompts() -> None:
    result = spoken_result(RUN, [record(None, "a b", "a")], "speech to text", PUBLISHED)
    assert [one.what for one in result.row("speech to text").published] == ["clean", "other"]
    assert result.counts == {}
    assert result.notes == ("The outputs were given, and not generated here.",)
