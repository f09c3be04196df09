import numpy as np
import pytest

from spiritlm_cli.evaluation.abx import AbxGroup, abx_cells, abx_groups
from spiritlm_cli.evaluation.abx_items import AbxToken
from spiritlm_cli.evaluation.abx_result import group_record, result
from spiritlm_cli.evaluation.records import RunDescription


def test_result_of_five_tokens() -> None:
    """A is e1, e2; B is e1, e1, e2, all of one speaker and context."""
    units = [("A", 1), ("A", 2), ("B", 1), ("B", 1), ("B", 2)]
    tokens = [AbxToken(str(unit), 0, 1, phone, ("L", "R"), "s") for phone, unit in units]
    other = [AbxToken("1", 0, 1, "A", ("L", "R"), "t")]
    records = []
    for mode in ("within", "across"):
        for group in abx_groups([*tokens, *other], mode):
            cells = abx_cells(group, lambda token: np.array([int(token.file)]))
            records.append({"id": group.id, **group_record(group, cells)})
    found = result(RunDescription("abx", "1"), records)
    assert found.row("within speaker").values["error"].value == pytest.approx(0.6667, abs=5e-5)
    # x is e1 of t; a is e1 or e2; b is e1, e1, e2
    assert found.row("across speakers").values["error"].value == pytest.approx(
        1 - (0.5 * 2 + 1 + 0 + 0.5) / 6
    )
    assert found.counts == {"pairs in context": 3, "triples": 24}


def test_a_group_without_cells_has_no_error() -> None:
    token = AbxToken("1", 0, 1, "A", ("L", "R"), "s")
    group = AbxGroup("within", ("L", "R"), "s", "s", {"A": (token,)}, {"A": (token,)})
    empty = {"id": "x", **group_record(group, [], {token})}
    found = result(RunDescription("abx", "1"), [empty, empty])
    assert found.rows == ()
    assert found.counts == {"pairs in context": 0, "triples": 0, "phones without frames": 1}
