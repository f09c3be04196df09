import pytest

from spiritlm_cli.distributed.cluster import check_reachable
from spiritlm_cli.errors import SpiritLMError


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ray://here:10001", "run on a machine of the cluster"),
        ("here", "is host:port"),
        ("127.0.0.1:1", "no Ray cluster there"),
    ],
)
def test_check_reachable_names_the_fault(address: str, reason: str) -> None:
    with pytest.raises(SpiritLMError, match=reason):
        check_reachable(address)
