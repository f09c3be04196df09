from spiritlm_cli.evaluation.published_accuracies import published_accuracies, published_salmon
from spiritlm_cli.evaluation.result import Published


def test_published_accuracies_by_mean_and_by_sum() -> None:
    base, expressive, trained, gslm, cascade = published_accuracies("wuggy S")
    assert base == Published("Base", {"by_mean": 69.0, "by_sum": 71.4})
    assert expressive == Published("Expressive", {"by_mean": 65.0, "by_sum": 66.2})
    assert trained == Published("Base+ASR+TTS", {"by_mean": 68.7, "by_sum": 71.8})
    assert gslm == Published("GSLM", {"by_mean": 64.8, "by_sum": 65.4})
    assert cascade == Published("Whisper+Llama 2", {"by_mean": 79.2})
    assert [one.what for one in published_accuracies("blimp T")] == [
        "Base",
        "Expressive",
        "Base+ASR+TTS",
        "Whisper+Llama 2",
    ]
    assert published_accuracies("storycloze S→T")[0].values == {"by_mean": 64.6, "by_sum": 64.3}
    assert published_accuracies("topic-storycloze T→S")[1].values == {"by_mean": 61.6, "by_sum": 57.7}
    assert published_accuracies("prosaudit S") == ()


def test_published_salmon() -> None:
    assert published_salmon("speaker_consistency") == (
        Published("Base", {"by_mean": 69.5}),
        Published("Expressive", {"by_mean": 81.0}),
    )
    assert published_salmon("sentiment_alignment")[0].values == {"by_mean": 48.0}
    assert published_salmon("own") == ()
