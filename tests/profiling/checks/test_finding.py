import json

import pytest

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.profiling.checks.finding import Finding, reason


def test_problems_have_a_remedy() -> None:
    with pytest.raises(ValueError, match="ray: broken without a remedy"):
        Finding("Extras", "ray", "broken", "is not installed")
    Finding("Extras", "ray", "note", "is not installed")
    Finding("Extras", "ray", "broken", "is not installed", command="pip install ray")


def test_to_json() -> None:
    finding = Finding("Packages", "rich", "ok", "13.0", values={"version": "13.0"})
    assert Finding(**json.loads(json.dumps(finding.to_json()))) == finding


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CheckpointError("a.pt: missing"), "a.pt: missing"),
        (OSError("libc10.so:\n\x1b[2J missing"), "OSError: libc10.so: ?[2J missing"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 1000), f"ValueError: {'x' * 287}…"),
    ],
)
def test_reason(error: Exception, text: str) -> None:
    assert reason(error) == text


def test_reason_with_its_cause() -> None:
    error = OSError("could not load a.so")
    error.__cause__ = OSError("libcudart.so.13: missing")
    assert reason(error) == "OSError: could not load a.so (libcudart.so.13: missing)"
