"""Published accuracies of likelihood comparisons, in percent, by mean and by sum of log-likelihoods."""

from spiritlm_cli.evaluation.result import Published

# Nguyen et al. 2024, "SpiRit-LM: Interleaved Spoken and Written Language Model", table 10, and table 4 for the cascade.
# T: text; S: speech; T→S: the story is text, and its ending speech.
_BENCHMARKS = (
    "wuggy T", "wuggy S", "blimp T", "blimp S",
    "topic-storycloze T→T", "topic-storycloze S→S", "topic-storycloze T→S", "topic-storycloze S→T",
    "storycloze T→T", "storycloze S→S", "storycloze T→S", "storycloze S→T",
)  # fmt: skip
# By sum and by mean; -: not published.
_SPIRIT_LM = {
    "Base": "95.1/80.3 71.4/69.0 75.7/73.3 63.2/58.3 94.5/98.0 69.2/82.9 66.6/72.7 83.8/88.6 "
    "76.6/79.4 56.2/61.0 56.2/59.5 64.3/64.6",
    "Expressive": "95.2/75.8 66.2/65.0 76.6/73.6 58.7/54.2 94.3/97.9 58.2/75.4 57.7/61.6 81.3/73.2 "
    "75.7/78.9 51.8/56.9 52.5/54.6 61.4/58.8",
    "Base+ASR+TTS": "94.5/76.8 71.8/68.7 74.3/71.7 62.4/57.2 93.1/97.7 69.1/81.6 66.0/71.6 81.6/86.1 "
    "75.3/77.4 55.5/59.9 55.5/58.8 63.5/63.5",
    "GSLM": "-/- 65.4/64.8 -/- 57.2/54.2 -/- 56.3/66.6 -/- -/- -/- 51.0/53.3 -/- -/-",
    "Whisper+Llama 2": "-/84.1 -/79.2 -/72.8 -/71.6 -/98.5 -/94.76 -/94.76 -/94.76 -/81.9 -/75.7 -/75.7 -/75.7",
}

# Leaderboard of SALMon, by mean: Base and Expressive.
_SALMON = {
    "bg_alignment": (51.5, 59.5),
    "bg_all_consistency": (55.5, 64.0),
    "bg_domain_consistency": (53.5, 55.0),
    "gender_consistency": (67.0, 85.0),
    "rir_consistency": (54.5, 54.5),
    "sentiment_alignment": (48.0, 52.0),
    "sentiment_consistency": (54.5, 73.5),
    "speaker_consistency": (69.5, 81.0),
}


def published_accuracies(benchmark: str) -> tuple[Published, ...]:
    """Return the results of the Spirit LM paper for a benchmark, such as "wuggy S" or "storycloze T→S"; or none."""
    if benchmark not in _BENCHMARKS:
        return ()
    column = _BENCHMARKS.index(benchmark)
    results = []
    for model, cells in _SPIRIT_LM.items():
        by_sum, by_mean = cells.split()[column].split("/")
        values = {"by_mean": by_mean, "by_sum": by_sum}
        known = {name: float(value) for name, value in values.items() if value != "-"}
        if known:
            results.append(Published(model, known))
    return tuple(results)


def published_salmon(part: str) -> tuple[Published, ...]:
    """Return the published results of a part of SALMon; none for others."""
    values = zip(("Base", "Expressive"), _SALMON.get(part, ()), strict=False)
    return tuple(Published(model, {"by_mean": value}) for model, value in values)
