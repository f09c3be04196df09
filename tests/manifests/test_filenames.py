import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.manifests.filenames import filename_for

IDS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\t\n\r"), min_size=1, max_size=20
)


@given(IDS)
def test_filename_is_safe(clip):
    name = filename_for(clip)
    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\:*?"<>|')
    assert not name.startswith((".", " "))


@given(IDS, IDS)
def test_different_ids_have_different_filenames(one, other):
    assert (filename_for(one) == filename_for(other)) == (one == other)


@pytest.mark.parametrize(
    ("clip", "name"),
    [("a-1_b.c", "a-1_b.c"), ("../etc/x", "%2E.%2Fetc%2Fx"), ("50%", "50%25"), ("é 声", "é 声")],
)
def test_filename_examples(clip, name):
    assert filename_for(clip) == name
