"""Run the tasks of `spiritlm evaluate` on the sets of make.py, and write one Markdown table of the results.

    python benchmarks/suite/run.py DATA RESULTS --judges JUDGES --asr WHISPER_TINY_EN > benchmarks/suite.md

JUDGES: the folder of judges.py. RESULTS: a folder for the items file of each run. Runs that are there already are not
repeated, and one that was interrupted is continued. `--task NAME` runs only some; `--model FOLDER` measures another
checkpoint than nano.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_COMMAND = (sys.executable, "-m", "spiritlm_cli", "evaluate")
_TITLE = """# Results of nano on a suite of small sets

Every task of [`spiritlm evaluate`](../docs/evaluate.md) that can be run without downloads, on sets that `suite/make.py`
makes in the layouts of the benchmarks. **They are not the benchmarks**: they are small, their words and sentences are
those of simple stories, and most of their speech is synthetic, in voices that nano knows. Published results are of
models a thousand times as large, on other data. They are here to show what a card looks like, and to compare versions
of nano. [What each set is](suite/README.md). The recognizer is Whisper tiny.en; the numbers of errors depend on it.

    python benchmarks/suite/make.py DATA --speech SPEECH --stories STORIES
    python benchmarks/suite/judges.py JUDGES --stories STORIES --story-model FOLDER
    python benchmarks/suite/run.py DATA RESULTS --judges JUDGES --asr WHISPER_TINY_EN > benchmarks/suite.md
"""


@dataclass(frozen=True)
class SuiteRun:
    """One command. name: of its items file; arguments: of `spiritlm evaluate`, with {data}, {judges} and {asr}."""

    name: str
    arguments: str

    def command(self, values: dict[str, str]) -> list[str]:
        """The arguments as a list, with the folders and models in their places."""
        return [part.format(**values) for part in self.arguments.split()]


# By the heading under which they are in the table.
RUNS = {
    "Likelihood of speech": (
        SuiteRun("wuggy", "wuggy {data}/zerospeech2021"),
        SuiteRun("blimp", "blimp {data}/zerospeech2021"),
        SuiteRun("prosaudit", "prosaudit {data}/prosaudit"),
        SuiteRun("salmon", "salmon {data}/salmon"),
        SuiteRun("perplexity", "perplexity --manifest {data}/sentences.tsv"),
    ),
    "Likelihood of text": (
        SuiteRun("wuggy-text", "wuggy {data}/zerospeech2021 --text"),
        SuiteRun("blimp-text", "blimp {data}/zerospeech2021 --text"),
        SuiteRun("mmlu", "mmlu {data}/mmlu"),
        SuiteRun("perplexity-text", "perplexity --text {data}/stories.txt"),
    ),
    "Stories and their endings, in speech (S) and text (T)": (
        SuiteRun("storycloze", "storycloze {data}/cross_sSC"),
        SuiteRun("topic-storycloze", "topic-storycloze {data}/cross_tSC"),
        SuiteRun("choice", "choice {data}/choices.jsonl"),
    ),
    "Recordings of people (held-out clips of LibriSpeech)": (
        SuiteRun("resynthesis-librispeech", "resynthesis {data}/LibriSpeech/held-out --asr {asr} --dnsmos"),
        SuiteRun(
            "units-librispeech",
            "units {data}/phones/librispeech/clips.tsv --alignments {data}/phones/librispeech",
        ),
        SuiteRun(
            "abx-librispeech",
            "abx {data}/phones/librispeech/triphones.item --audio {data}/phones/librispeech",
        ),
        SuiteRun("asr-librispeech", "asr {data}/LibriSpeech/held-out --examples {data}/LibriSpeech/examples"),
    ),
    "Synthetic voices (held-out sentences)": (
        SuiteRun("resynthesis-voices", "resynthesis {data}/voices.tsv --speaker same --asr {asr} --dnsmos"),
        SuiteRun("units-voices", "units {data}/phones/voices/clips.tsv --alignments {data}/phones/voices"),
        SuiteRun("abx-voices", "abx {data}/phones/voices/triphones.item --audio {data}/phones/voices"),
        SuiteRun("asr-voices", "asr {data}/sentences.tsv --examples {data}/voices.tsv"),
    ),
    "The same without examples": (
        SuiteRun("asr-zero-shot", "asr {data}/sentences.tsv"),
        SuiteRun("tts-zero-shot", "tts {data}/sentences.tsv --asr {asr} --max-new-tokens 300 --limit 20"),
    ),
    "Spoken commands, sentiment and continuations": (
        SuiteRun("intent", "intent {data}/commands --likelihood"),
        SuiteRun(
            "stsp", "stsp {data}/stsp --direction TT --direction ST --text-classifier {judges}/sentiment"
        ),
        SuiteRun("continuation", "continuation {data}/cross_sSC --text-lm {judges}/text_lm --asr {asr}"),
        SuiteRun("toxicity", "toxicity {data}/toxicity/sentences.csv --words {data}/toxicity/words.txt"),
    ),
    "Continuations of recordings in speech": (
        SuiteRun(
            "toxicity-speech",
            "toxicity {data}/toxicity/spoken.tsv --speech --words {data}/toxicity/words.txt --asr {asr}",
        ),
    ),
    "Spoken and written words": (SuiteRun("similarity", "similarity {data}/sentences.tsv"),),
}
_ALL = [run for runs in RUNS.values() for run in runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder that make.py wrote")
    parser.add_argument("results", type=Path, help="folder for the items files")
    parser.add_argument("--judges", required=True, help="folder that judges.py wrote")
    parser.add_argument("--asr", required=True, help="recognizer: folder or name of a Whisper model")
    parser.add_argument("--model", default="nano", help="checkpoint (default nano)")
    parser.add_argument("--task", action="append", choices=[run.name for run in _ALL], help="only these runs")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    values = {"data": str(arguments.data), "judges": arguments.judges, "asr": arguments.asr}
    for run in _ALL:
        if not arguments.task or run.name in arguments.task:
            _measure(run, values, arguments)
    print(_TITLE)
    names = {"data": "DATA", "judges": "JUDGES", "asr": "WHISPER_TINY_EN"}
    for title, runs in RUNS.items():
        files = [str(path) for run in runs if (path := arguments.results / f"{run.name}.jsonl").is_file()]
        if not files:
            continue
        report = subprocess.run(
            [*_COMMAND, "report", *files], check=True, capture_output=True, text=True
        ).stdout
        print(f"## {title}\n\n{report}")
        for run in runs:
            if (arguments.results / f"{run.name}.jsonl").is_file():
                print(f"    spiritlm evaluate {' '.join(run.command(names))}")
        print()


def _measure(run: SuiteRun, values: dict[str, str], arguments: argparse.Namespace) -> None:
    """Run one command, unless its items file is there."""
    items = arguments.results / f"{run.name}.jsonl"
    if items.is_file():
        return
    resume = ["--resume"] if items.with_name(f"{items.name}.part").is_file() else []
    options = ["--model", arguments.model, "--items", str(items), "--on-error", "skip", *resume]
    start = time.monotonic()
    status = subprocess.run(
        [*_COMMAND, *run.command(values), *options], stdout=subprocess.DEVNULL, check=False
    )
    print(f"{run.name}: {time.monotonic() - start:.0f} s, status {status.returncode}", file=sys.stderr)


if __name__ == "__main__":
    main()
