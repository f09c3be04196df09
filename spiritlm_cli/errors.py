"""Errors that the user can do something about. Any other exception is a bug of this package."""


class SpiritLMError(Exception):
    """Base of all errors with a message for the user."""


class AudioError(SpiritLMError):
    """Audio that can't be read, is empty, too short or cut off, or can't be written."""


class TokenError(SpiritLMError):
    """A token line that is not well formed, or tokens that the model does not have."""


class ManifestError(SpiritLMError):
    """An invalid manifest or alignment file. The message names file and line."""


class CheckpointError(SpiritLMError):
    """A file of a checkpoint is missing, cut off, or does not match its configuration."""


class MissingPackageError(SpiritLMError):
    """An optional package is missing. The message names the extra that installs it."""


class AlignmentError(SpiritLMError):
    """Words that can't be aligned to the audio: they don't match it, can't be pronounced, or have invalid times."""


class ResumeError(SpiritLMError):
    """The output of an earlier run can't be resumed with these inputs and options."""


class OutOfMemoryError(SpiritLMError):
    """Too little memory. The message names the option that lowers the need."""


class OptionError(SpiritLMError, ValueError):
    """An option, or a combination of options, that can't be used.

    option: the option's name on the command line, such as `--shard`; None where no single one is at fault.
    """

    def __init__(self, message: str, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option

    def __reduce__(self) -> tuple[type["OptionError"], tuple[str, str | None]]:
        return OptionError, (str(self), self.option)


def drop_frames(error: BaseException) -> None:
    """Remove the tracebacks of an error and of its causes, which keep the variables of all calls in memory.

    An item that holds its error, which holds the frame that raised it, which holds the item, is not freed before
    Python searches for such cycles, and that is rare in a program with many objects.
    """
    errors: list[BaseException | None] = [error]
    while errors:
        if (one := errors.pop()) and one.__traceback__:
            one.__traceback__ = None
            errors += [one.__cause__, one.__context__]
