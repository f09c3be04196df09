import inspect
import pickle

import pytest

from spiritlm_cli import errors
from spiritlm_cli.errors import SpiritLMError, TokenError, drop_frames

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value)]


@pytest.mark.parametrize("error", CLASSES)
def test_errors_share_one_base(error: type[Exception]) -> None:
    assert issubclass(error, SpiritLMError)
    assert error.__doc__


@pytest.mark.parametrize("error", CLASSES)
def test_errors_can_be_sent_to_other_processes(error: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(error("x.wav: no such file")))
    assert type(copy) is error
    assert str(copy) == "x.wav: no such file"


def test_drop_frames_of_an_error_and_its_causes() -> None:
    try:
        try:
            raise ValueError("cause")
        except ValueError as cause:
            raise TokenError("bad") from cause
    except TokenError as error:
        caught = error
    drop_frames(caught)
    assert caught.__traceback__ is None
    assert caught.__cause__ is not None
    assert caught.__cause__.__traceback__ is None
