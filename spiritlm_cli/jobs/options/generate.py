"""Options of `spiritlm generate`."""

from dataclasses import dataclass
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.shared import (
    EXECUTION,
    Dtype,
    LineOutputOptions,
    ModelOptions,
    check_utf8,
    ids_option,
    ray_option,
    seed_option,
)
from spiritlm_cli.jobs.options.token_files import check_token_files, has_recordings
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(TokenizerPart, LanguageModelPart, VocoderPart, LineOutputOptions, ModelOptions):
    """Options of `spiritlm generate`, and of `generate --score`."""

    files: tuple[str, ...] = option(
        (),
        "Files of prompts, as token lines.",
        metavar="FILE",
        argument=True,
        default_text="stdin",
        path=True,
        group="input",
    )
    prompt: str | None = option(None, "One prompt, as a token line.", group="input", metavar="LINE")
    to: Literal["same", "any", "speech", "text"] | None = option(
        None,
        "Modality of the continuation. same: the modality that the prompt ends in.",
        default_text="same",
        group="continuation",
    )
    max_new_tokens: int | None = option(
        None,
        "Maximum number of new tokens.",
        minimum=1,
        default_text="200, or the task's; no limit for speech with --max-seconds",
        group="continuation",
    )
    max_seconds: float | None = option(
        None,
        "Maximum duration of the generated speech, by the vocoder's duration predictor.",
        minimum=0.04,
        group="continuation",
        metavar="SECONDS",
    )
    min_seconds: float | None = option(
        None,
        "Minimum duration of the generated speech; ignored for text.",
        minimum=0.04,
        group="continuation",
        metavar="SECONDS",
    )
    stop: tuple[str, ...] = option(
        (),
        "Stop where this text would begin. May be given several times.",
        "--stop",
        metavar="TEXT",
        group="continuation",
    )
    sentence: bool = option(False, "Stop after one sentence of text.", group="continuation")
    temperature: float = option(
        0.9,
        "Softmax temperature. Below 1, probable tokens are drawn more often.",
        minimum=0,
        group="sampling",
        above=True,
        remedy="to take the most probable token each time, give --greedy",
    )
    top_p: float = option(
        0.95,
        "Sample from the most probable tokens that together reach this probability.",
        minimum=0,
        maximum=1.0,
        group="sampling",
        above=True,
        remedy="to take the most probable token each time, give --greedy",
    )
    top_k: int = option(
        0,
        "Sample from this many of the most probable tokens. 0: from all tokens.",
        minimum=0,
        group="sampling",
    )
    min_p: float = option(
        0.0,
        "Sample from tokens with at least this fraction of the highest probability.",
        minimum=0.0,
        maximum=1.0,
        group="sampling",
    )
    repetition_penalty: float = option(
        1.0,
        "Above 1, tokens that are in the sequence already are drawn less often.",
        minimum=0,
        group="sampling",
        above=True,
    )
    greedy: bool | None = option(
        None,
        "Always take the most probable token, or sample.",
        "--greedy/--sample",
        default_text="sample, or the task's",
        group="sampling",
    )
    num_samples: int = option(
        1,
        "Number of continuations of each prompt. Their ids are id#0, id#1, …",
        minimum=1,
        group="continuation",
    )
    echo: bool = option(False, "Write the prompt before its continuation.", group="output")
    stream: bool = option(
        False,
        "Write each token as soon as it is generated. Prompts are then continued one after another.",
        group="output",
        execution=True,
    )
    overflow: Literal["refuse", "cut"] = option(
        "refuse",
        "What to do with a prompt longer than the model's context. refuse: it is an error; cut: remove its beginning.",
        group="continuation",
    )
    task: str | None = option(
        None,
        "Task to solve by examples in the prompt. FILE: a prompt template of your own.",
        reads=True,
        metavar="asr|tts|intent|continue|FILE",
        group="few-shot",
    )
    examples: str | None = option(
        None,
        "Solved examples of the task: token lines; or a manifest, or a folder of recordings with texts.",
        metavar="FILE|FOLDER",
        path=True,
        group="few-shot",
    )
    shots: int | None = option(
        None, "Number of examples in each prompt.", minimum=0, default_text="the task's", group="few-shot"
    )
    shuffle: bool = option(
        False,
        "Draw the examples at random for each prompt, instead of taking the first ones.",
        group="few-shot",
    )
    score: bool = option(
        False,
        "Write the log-likelihood of each line instead of a continuation, as `log-likelihood<TAB>tokens<TAB>mean`.",
        group="scoring",
    )
    given: str | None = option(
        None,
        "With --score: the context of each line, as a token line. The context itself is not scored.",
        metavar="FILE",
        path=True,
        group="scoring",
    )
    batch_size: int = option(
        16,
        "Number of continuations in a batch. Does not change the results on a CPU.",
        minimum=1,
        **EXECUTION,
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
        None, "Quantize the weights of the language model. Extra: quantize.", group="execution"
    )
    device_map: Literal["auto"] | None = option(
        None, "auto: distribute the layers over all CUDA GPUs, according to their free memory.", **EXECUTION
    )
    engine: Literal["torch", "vllm"] = option(
        "torch", "Inference engine. vllm is for many lines on a GPU. Extra: vllm.", group="execution"
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
        check_utf8("--prompt", self.prompt)
        check_utf8("--stop", *self.stop)
        self.check_output()
        text = next((path for path in self.files if " " in path), "")
        instead = f"to continue a text, give --prompt {text!r}"
        examples = None if self.examples and has_recordings(self.examples) else self.examples
        check_token_files((*self.files, examples, self.given), instead)

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
                self.ray and self.device_map,
                "can't be combined with --ray, whose workers have one GPU each",
                "--device-map",
            ),
            (
                self.ray and self.examples == "-",
                "a cluster can't read this machine's stdin; name a file that all its machines have",
                "--examples",
            ),
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
