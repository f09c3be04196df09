import inspect
import pickle

import pytest

from spiritlm_cli import errors
from spiritlm_cli.errors import SpiritLMError

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
