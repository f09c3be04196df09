"""What runs on the machines of the cluster."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spiritlm_cli.distributed.messages import answer_to_json, clip_from_json
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.tokens.units import Units

if TYPE_CHECKING:
    import pyarrow as pa

    from spiritlm_cli.audio.reading import Channel
    from spiritlm_cli.speech.f0 import F0Method
    from spiritlm_cli.speech.tokenizer import SpeechTokenizer

# How often a task is begun. Ray would do it for ever, but it may be one of its files that brings the process down.
_ATTEMPTS = 6


@dataclass(frozen=True)
class Loading:
    """Which tokenizer is to be loaded: what `SpeechTokenizer.load` takes."""

    model: str | None = "nano"
    expressive: bool = True
    f0: "F0Method" = "fcpe"
    device: str = "auto"
    dtype: str = "float32"
    compile: bool = False

    def load(self) -> "SpeechTokenizer":
        """The tokenizer, in this process. Raises CheckpointError."""
        from spiritlm_cli.speech.tokenizer import SpeechTokenizer

        return SpeechTokenizer.load(
            self.model, self.expressive, self.f0, self.device, self.dtype, self.compile
        )


@dataclass(frozen=True)
class Job:
    """What every worker is told. folder: where relative paths begin; cpus: for its networks; readers: threads that
    read files."""

    loading: Loading
    folder: str
    cpus: int
    channel: "Channel"
    batch_seconds: float | None
    readers: int


class Attempts:
    """An actor that knows how often each task was begun."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, place: int) -> int:
        """A task is begun, that of the clip in this place and those after it: how often it was, with this time."""
        self._begun[place] += 1
        return self._begun[place]


class Worker:
    """A process that loads the tokenizer once, and answers for the clips of one task after another."""

    def __init__(self, job: Job, attempts: Any) -> None:
        """attempts: a handle of `Attempts`."""
        import torch

        # Errors are to name files as they were given. Where there is no such folder, they aren't there either.
        with suppress(OSError):
            os.chdir(job.folder)
        torch.set_num_threads(job.cpus)
        self._job, self._attempts = job, attempts
        self._failure: SpiritLMError | None = None
        try:
            self._tokenizer = job.loading.load()
        except SpiritLMError as error:
            # Raised here it would reach nobody as what it is.
            self._failure = error

    def __call__(self, table: "pa.Table") -> "pa.Table":
        """table: place and clip. Returns it with answer, fatal (the answer is an error, and none of this clip's but
        one that ends it all) and attempt, how often these clips were begun."""
        import pyarrow as pa
        import ray

        clips = [clip_from_json(text) for text in table["clip"].to_pylist()]
        attempt = ray.get(self._attempts.begin.remote(table["place"][0].as_py()))
        failure = self._failure
        if attempt > _ATTEMPTS:
            failure = SpiritLMError(
                f"{_ATTEMPTS} workers were lost over the clips from {clips[0].id} to {clips[-1].id}: "
                "memory is short, or there is a file among them that brings a process down"
            )
        answers = [failure] * len(clips) if failure else self._answers(clips)
        table = table.append_column("answer", pa.array(map(answer_to_json, answers)))
        table = table.append_column("fatal", pa.array([failure is not None] * len(clips)))
        return table.append_column("attempt", pa.array([attempt] * len(clips)))

    def _answers(self, clips: list[Clip | BadClip]) -> Iterator[Units | SpiritLMError]:
        job = self._job
        for _, heard in self._tokenizer.encode_stream(
            clips, channel=job.channel, batch_seconds=job.batch_seconds, workers=job.readers
        ):
            try:
                units = heard.result()
            except SpiritLMError as error:
                yield error
            else:
                yield units
