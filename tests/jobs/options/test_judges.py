import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.judges import require_judge


def test_require_judge_says_what_to_give() -> None:
    require_judge("folder", "--text-lm", "perplexity", "someone/model")
    with pytest.raises(
        OptionError, match=r"is needed for perplexity: .*`hf download someone/model --local-dir model`"
    ):
        require_judge(None, "--text-lm", "perplexity", "someone/model")
