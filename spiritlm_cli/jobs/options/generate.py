"""Options of `spiritlm generate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.shared import (
    EXECUTION,
    Dtype,
    LineOutputOptions,
    ModelOptions,
    ids_option,
    ray_option,
    seed_option,
)
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(LineOutputOptions, ModelOptions):
    """Options of `spiritlm generate`, and of `generate --score`."""

    files: tuple[str, ...] = option(
        (), "Prompts, as token lines.", metavar="FILE", argument=True, default_text="stdin", group="input"
    )
    prompt: str | None = option(None, "The prompt, as a token line.", group="input")
    to: Literal["same", "any", "speech", "text"] | None = option(
        None, "Modality of the continuation; same: the one the prompt ends in.", default_text="same"
    )
    max_new_tokens: int | None = option(
        None,
        "Maximum number of new tokens.",
        minimum=1,
        default_text="200, or the task's; no limit for speech with --max-seconds",
    )
    max_seconds: float | None = option(
        None, "Maximum duration of new speech, by the vocoder's duration predictor.", minimum=0.04
    )
    min_seconds: float | None = option(
        None,
        "Suppress end-of-sequence until this much speech; ignored for text.",
        minimum=0.04,
    )
    stop: tuple[str, ...] = option((), "Stop before this text; may be repeated.", "--stop", metavar="TEXT")
    sentence: bool = option(False, "Stop after one sentence of text.")
    temperature: float = option(0.9, "Softmax temperature.", minimum=1e-6)
    top_p: float = option(
        0.95, "Sample from the smallest set of tokens with this probability.", minimum=1e-6, maximum=1.0
    )
    top_k: int = option(0, "Sample from the K most probable tokens; 0: from all.", minimum=0)
    min_p: float = option(0.0, "Keep tokens with p ≥ MIN_P × p_max.", minimum=0.0, maximum=1.0)
    repetition_penalty: float = option(1.0, "Values above 1 discourage repetition.", minimum=1e-6)
    greedy: bool | None = option(
        None,
        "Take the most probable token, or sample.",
        "--greedy/--sample",
        default_text="sample, or the task's",
    )
    num_samples: int = option(1, "Continuations of each prompt: id#0, id#1, …", minimum=1)
    echo: bool = option(False, "Write the prompt before its continuation.", group="output")
    stream: bool = option(
        False,
        "Write each token as soon as it is generated, one line after another.",
        group="output",
        execution=True,
    )
    overflow: Literal["refuse", "cut"] = option(
        "refuse", "A prompt longer than the context: refuse it, or cut off its beginning."
    )
    task: str | None = option(
        None,
        "Task, as a prompt template; a template may be your own.",
        metavar="asr|tts|intent|continue|FILE",
    )
    examples: str | None = option(
        None, "Solved examples of --task, as token lines.", metavar="FILE", group="input"
    )
    shots: int | None = option(
        None, "Examples in a prompt, from the first.", minimum=0, default_text="the task's"
    )
    shuffle: bool = option(False, "Draw the examples anew for each prompt, by --seed.")
    score: bool = option(
        False,
        "Write `log-likelihood<TAB>tokens<TAB>mean` of each line in place of a continuation.",
        group="output",
    )
    given: str | None = option(
        None,
        "With --score: lines that precede those scored, and are not counted.",
        metavar="FILE",
        group="input",
    )
    batch_size: int = option(
        16, "Continuations in a batch; the results are the same.", minimum=1, **EXECUTION
    )
    seed: int | None = seed_option()
    ids: bool | None = ids_option()
    dtype: Dtype | None = option(
        None,
        "Data type of the language model.",
        default_text="float32 on a CPU, else bfloat16",
        group="execution",
    )
    quantize: Literal["int8", "int4"] | None = option(
        None, "Quantize the language model's weights (extra: quantize).", group="execution"
    )
    device_map: Literal["auto"] | None = option(
        None, "auto: distribute the layers over all CUDA GPUs, by their free memory.", **EXECUTION
    )
    engine: Literal["torch", "vllm"] = option(
        "torch", "Inference engine; vLLM (extra: vllm) is for many lines on a GPU.", group="execution"
    )
    ray: str | None = ray_option()

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that prompts are read from; "-" is stdin."""
        return self.files or ("-",)

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        for wrong, message, flag in (*self._conflicts(), *self._score_conflicts(), *self._engine_conflicts()):
            if wrong:
                raise OptionError(message, flag)
        self.check_resume()
        for path in (*self.files, self.examples, self.given):
            if path not in (None, "-"):
                Path(str(path)).stat()

    def _conflicts(self) -> tuple[tuple[object, str, str], ...]:
        stdin_twice = "-" in (self.given, self.examples) and self.prompt is None and "-" in self.sources
        few_shot = self.examples or self.shots is not None or self.shuffle
        return (
            (self.prompt is not None and self.files, "give files or --prompt, not both", "FILE"),
            (self.given and not self.score, "is for --score", "--given"),
            (stdin_twice, "stdin can be read once: by the prompts, --examples or --given", "-"),
            (few_shot and not self.task, "needs --task", "--examples, --shots, --shuffle"),
            (
                self.task and self.shots != 0 and not self.examples,
                "needs --examples FILE (or --shots 0)",
                "--task",
            ),
            (self.task and self.to, "is decided by --task", "--to"),
            (
                self.to == "text" and self.min_seconds,
                "is for speech, and --to text gives none",
                "--min-seconds",
            ),
            (self.ray and self.stream, "can't be combined with --stream", "--ray"),
            (
                self.max_seconds and self.min_seconds and self.min_seconds > self.max_seconds,
                "is more than --max-seconds",
                "--min-seconds",
            ),
        )

    def _score_conflicts(self) -> tuple[tuple[object, str, str], ...]:
        if not self.score:
            return ()
        return (
            (
                self.stream or self.task or self.echo,
                "can't be combined with --stream, --task or --echo",
                "--score",
            ),
            (
                self.to or self.num_samples > 1 or self.stop or self.sentence,
                "scores lines as they are: it can't be combined with --to, --num-samples, --stop or --sentence",
                "--score",
            ),
            (self.engine == "vllm", "gives no scores", "--engine vllm"),
        )

    def _engine_conflicts(self) -> tuple[tuple[object, str, str], ...]:
        own = self.quantize or self.device_map or self.device != "auto"
        return (
            (
                self.engine == "vllm" and own,
                "has its own ways of --device, --device-map and --quantize",
                "--engine vllm",
            ),
        )
