"""The driver: clips out to the workers, units back in order."""

import atexit
import os
import weakref
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.console import log
from spiritlm_cli.distributed.cluster import Crew, connected, find_crew, import_ray
from spiritlm_cli.distributed.messages import answer_from_json, clip_from_json, clip_to_json
from spiritlm_cli.distributed.worker import Attempts, Job, Loading, Worker
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.tokens.units import Units

if TYPE_CHECKING:
    import pyarrow as pa

    from spiritlm_cli.audio.reading import Channel

Encoded = Generator[tuple[Clip | BadClip, Outcome[Units]], None, None]


# Clips of a task, which is what is done again where a worker is lost. The driver holds some 25 kB for each task.
_TASK = 64
# Tasks for each worker, at the least, where there are clips for so many: then all end at about the same time.
_TASKS = 4


def encode_on_ray(
    clips: Iterable[Clip | BadClip],
    address: str,
    *,
    loading: Loading,
    channel: "Channel" = "mix",
    batch_seconds: float | None = None,
    workers: int = 2,
) -> Encoded:
    """Clips in order, each with an iterator that gives its units once, or raises why it can't be used.

    address: "local" starts Ray here, on this machine's CPUs and GPUs; any other is a cluster's, "auto" or
    "host:port", seen from one of its machines. A program that is connected already stays where it is.
    loading.device: "auto" (the cluster's GPUs where it has any, else its CPUs), "cuda" or "cpu". There is a worker
    for each GPU, or else for every four CPUs of a machine; channel, batch_seconds and workers (threads that read
    files) mean in each what they do in `encode_stream`. All machines need this package, and the files and the
    checkpoint under the same paths. All clips are taken before the first is given back; units are held in Ray's
    store until they are asked for. A worker that is lost is started again, and does again what it was at.
    Raises MissingPackageError without Ray; CheckpointError, from workers too; AudioError for standard input;
    SpiritLMError where the cluster can't be reached, hasn't the device, or loses six workers over the same clips.
    """
    import_ray()
    encoded = _encoded(clips, address, loading, channel, batch_seconds, workers)
    # Ray ends itself when the interpreter ends, and can't end well before this has.
    atexit.register(_close, weakref.ref(encoded))
    return encoded


def _close(encoded: "weakref.ref[Encoded]") -> None:
    if generator := encoded():
        generator.close()


def _encoded(
    clips: Iterable[Clip | BadClip],
    address: str,
    loading: Loading,
    channel: "Channel",
    batch_seconds: float | None,
    readers: int,
) -> Encoded:
    model = _known_everywhere(loading.model)
    with connected(address):
        crew = find_crew(loading.device)
        loading = replace(loading, model=model, device="cuda" if crew.gpus else "cpu")
        job = Job(loading, str(Path.cwd()), crew.cpus, channel, batch_seconds, readers)
        with closing(_mapped(list(_tables(clips, crew.size)), job, crew)) as mapped:
            for clip, answer in mapped:
                yield clip_from_json(clip), _outcome(answer)


def _outcome(answer: Units | SpiritLMError) -> Outcome[Units]:
    return Outcome.failure(answer) if isinstance(answer, SpiritLMError) else Outcome([answer])


def _known_everywhere(model: str | None) -> str:
    """The model by a name that no process's folder or environment changes. Raises CheckpointError."""
    name = model or os.environ.get("SPIRITLM_CHECKPOINTS_DIR") or "nano"
    root = find_checkpoint(name).root
    return str(root.absolute()) if name != "nano" and Path(name).expanduser() == root else name


def _tables(clips: Iterable[Clip | BadClip], workers: int) -> "Iterator[pa.Table]":
    """The clips in order, a table for each task: place, and clip."""
    import pyarrow as pa

    clips = iter(clips)
    first = list(islice(clips, _TASK * _TASKS * workers))
    size = max(1, min(_TASK, len(first) // (_TASKS * workers)))
    rest = chain(first, clips)
    places = count()
    while rows := [clip_to_json(clip) for clip in islice(rest, size)]:
        yield pa.table({"place": list(islice(places, len(rows))), "clip": rows})


def _mapped(
    tables: "list[pa.Table]", job: Job, crew: Crew
) -> Generator[tuple[str, Units | SpiritLMError], None, None]:
    """The clips of the tables, as they are there, with what workers say of them. Raises SpiritLMError."""
    import ray

    if not tables:
        return
    tasks, size, rows = len(tables), len(tables[0]), sum(map(len, tables))
    clips = ray.data.from_blocks(tables)
    tables.clear()
    clips.context.execution_options.preserve_order = True
    clips.context.enable_progress_bars = False
    # Hours of sound in a task may take hours.
    clips.context.execution_no_progress_timeout_s = -1
    answers = clips.map_batches(
        Worker,
        fn_constructor_args=[
            job,
            ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Attempts).remote(),
        ],
        batch_size=size,  # with GPUs, Ray Data wants to be told
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=min(crew.size, tasks)),
        num_cpus=crew.cpus,
        num_gpus=crew.gpus,
    )
    places = count()
    try:
        # One that were fetched ahead would hold back the one before it.
        for table in answers.iter_batches(prefetch_batches=0, batch_size=None, batch_format="pyarrow"):
            yield from _checked(table, places)
    except ray.exceptions.RayActorError as error:
        # What it died of is the last line of its traceback.
        raise SpiritLMError(f"a worker can't be started: {str(error).strip().splitlines()[-1]}") from error
    if next(places) != rows:
        raise RuntimeError("Ray gave fewer answers than there are clips")


def _checked(table: "pa.Table", places: Iterator[int]) -> Iterator[tuple[str, Units | SpiritLMError]]:
    """The clips of a task, with their answers. Raises the error that ends it all."""
    if table["attempt"][0].as_py() > 1:
        first = clip_from_json(table["clip"][0].as_py())
        log.warning("a worker was lost; the clips from %s on were begun again", first.id)
    for row in table.to_pylist():
        if row["place"] != next(places):
            raise RuntimeError(f"Ray gave the answer of clip {row['place']} in another's place")
        answer = answer_from_json(row["answer"])
        if row["fatal"] and isinstance(answer, SpiritLMError):
            raise answer
        yield row["clip"], answer
