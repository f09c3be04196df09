"""The errors a person can do something about. Anything else that is raised is a fault of this program."""


class SpiritLMError(Exception):
    """Base of all errors whose message is written for the person at the terminal."""


class AudioError(SpiritLMError):
    """A sound that can't be read, is empty, too short or cut off; or can't be written."""


class TokenError(SpiritLMError):
    """A token line that is not well formed, or tokens that the model at hand doesn't have."""


class ManifestError(SpiritLMError):
    """A manifest or alignment file that can't be used; the message names file and line."""


class CheckpointError(SpiritLMError):
    """A checkpoint's file is missing, cut off, or not what its configuration says."""


class MissingPackageError(SpiritLMError):
    """An optional package is needed; the message says which extra brings it."""


class AlignmentError(SpiritLMError):
    """Words that can't be placed in a sound: they don't fit, can't be pronounced, or have no usable times."""


class ResumeError(SpiritLMError):
    """What an earlier run has written doesn't fit the one that is to go on from it."""
