import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.generate import GenerateOptions


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (GenerateOptions(prompt="x", files=("a",)), "FILE"),
        (GenerateOptions(given="a"), "--given"),
        (GenerateOptions(score=True, given="-"), "-"),
        (GenerateOptions(shots=2), "--examples, --shots, --shuffle"),
        (GenerateOptions(task="asr"), "--task"),
        (GenerateOptions(task="asr", shots=0, to="text"), "--to"),
        (GenerateOptions(score=True, stream=True), "--score"),
        (GenerateOptions(score=True, num_samples=2), "--score"),
        (GenerateOptions(to="text", min_seconds=1.0), "--min-seconds"),
        (GenerateOptions(min_seconds=2.0, max_seconds=1.0), "--min-seconds"),
        (GenerateOptions(engine="vllm", device="cpu"), "--engine vllm"),
        (GenerateOptions(ray="local", stream=True), "--ray"),
    ],
)
def test_check_refuses_what_cannot_be_combined(options: GenerateOptions, flag: str) -> None:
    with pytest.raises(OptionError) as raised:
        options.check()
    assert raised.value.option == flag
