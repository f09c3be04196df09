"""Make the sets of the suite, each in the layout of the benchmark that it is like, from texts and clips in this folder.

    python benchmarks/suite/make.py DATA --speech SPEECH --stories STORIES

DATA: a new folder. SPEECH: the folder of benchmarks/nano/clip_sets.py; only its held-out clips are tested on.
STORIES: a text whose words are counted for the frequency bands of `wuggy`. The same inputs give the same files.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "nano"))
sys.path.insert(0, str(Path(__file__).parent))
import likelihood_sets
import speech_sets
import text_sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder to make")
    parser.add_argument("--speech", type=Path, required=True, help="folder of the corpus of nano")
    parser.add_argument("--stories", type=Path, required=True, help="text for word frequencies")
    parser.add_argument(
        "--clips", type=Path, default=Path(__file__).parent / "clips", help="clips of spoken.py"
    )
    arguments = parser.parse_args()
    data, clips = arguments.data, arguments.clips
    data.mkdir(parents=True)
    likelihood_sets.make_lexical(data / "zerospeech2021", clips, arguments.stories)
    likelihood_sets.make_syntactic(data / "zerospeech2021", clips)
    likelihood_sets.make_prosaudit(data / "prosaudit", clips)
    likelihood_sets.make_salmon(data / "salmon", clips)
    likelihood_sets.make_stories(data, clips)
    text_sets.make_choices(data, clips)
    text_sets.make_story_texts(data / "stories.txt")
    text_sets.make_mmlu(data / "mmlu")
    text_sets.make_toxicity(data / "toxicity", clips)
    speech_sets.make_commands(data / "commands", clips)
    speech_sets.make_stsp(data / "stsp", clips)
    speech_sets.make_manifests(data, arguments.speech)
    speech_sets.make_phones(data, arguments.speech)


if __name__ == "__main__":
    main()
