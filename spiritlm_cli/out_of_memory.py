"""Too little memory: recognizing it, and going on with smaller batches."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from spiritlm_cli.console import log
from spiritlm_cli.errors import OutOfMemoryError

Piece = TypeVar("Piece")
Result = TypeVar("Result")

# What libraries say when an allocation fails: torch on a CPU, CUDA and MPS, cuBLAS, oneDNN (which then fails to create
# a kernel or a buffer), the C++ library, and the operating system.
_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate",
    "unable to mmap",
    "cublas_status_alloc_failed",
    "could not create a primitive",
    "could not create a memory object",
    "bad_alloc",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that an allocation failed."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError | OSError) and any(message in text for message in _MESSAGES)


class MemoryBoundCompute(Generic[Piece, Result]):
    """A batch function that computes smaller batches once a batch has not fitted into memory."""

    def __init__(
        self,
        compute: Callable[[Sequence[Piece]], Sequence[Result | None]],
        advice: str,
        release: Callable[[Piece], None] | None = None,
    ) -> None:
        """compute: results of a batch, in order, None for a piece that is not finished; may be called again with pieces
        for which it raised. advice: what to do if a batch of one piece doesn't fit, for the error. release: frees the
        memory that an unfinished piece holds, for pieces that have to wait.
        """
        self._compute, self._advice, self._release = compute, advice, release
        self._max_pieces: int | None = None

    def __call__(self, pieces: Sequence[Piece]) -> list[Result | None]:
        """Return the result of each piece, None if it is not finished.

        Raises OutOfMemoryError if there is too little memory for a single one.
        """
        results: list[Result | None] = []
        while len(results) < len(pieces):
            batch = pieces[len(results) :][: self._max_pieces]
            # The exception is gone before the next attempt, and with it the memory that its frames hold.
            part = self._try(batch)
            if part is not None:
                results += part
                if self._release:
                    # The others wait until these are finished, which hold memory until then.
                    results += [None] * (len(pieces) - len(results))
            elif len(batch) == 1:
                raise self.error()
            else:
                self._halve(batch, pieces)
        return results

    def error(self) -> OutOfMemoryError:
        """The error for too little memory."""
        return OutOfMemoryError(f"there is too little memory; {self._advice}")

    def _halve(self, batch: Sequence[Piece], pieces: Sequence[Piece]) -> None:
        """Compute half as many pieces from now on, and free the memory that the others hold."""
        self._max_pieces = len(batch) // 2
        log.warning(
            "there is too little memory for a batch of %d; going on with %d", len(batch), self._max_pieces
        )
        if self._release:
            for piece in pieces[self._max_pieces :]:
                self._release(piece)

    def _try(self, batch: Sequence[Piece]) -> Sequence[Result | None] | None:
        try:
            return self._compute(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.info("%s", error)
            return None
