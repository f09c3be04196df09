import pytest

from spiritlm_cli.alignment.formats.textgrid_tokens import Tokens
from spiritlm_cli.errors import ManifestError

TEXT = 'size = 2 ! a comment with 3 and "four"\nxmin = -0.5s [1]: text = "a ""b\n" <exists>\n'


def test_tokens_in_order() -> None:
    tokens = Tokens(TEXT, "x")
    assert (tokens.next_kind, tokens.count(), tokens.where) == ("number", 2, "x: line 1")
    assert (tokens.number(), tokens.where) == (-0.5, "x: line 2")
    assert (tokens.next_kind, tokens.string(), tokens.next_kind) == ("string", 'a "b\n', "flag")
    assert (tokens.flag(), tokens.where, tokens.next_kind) == ("<exists>", "x: line 3", None)


@pytest.mark.parametrize(
    ("text", "method", "message"),
    [
        ("", "number", "x: line 1: the file ends where a number is expected; it may be cut off"),
        ("1,5", "number", "x: line 1: '1,5' is not a number"),
        ("1.5", "count", "x: line 1: 1.5 is not a count"),
        ("-1", "count", "x: line 1: -1 is not a count"),
        ("\n5", "string", "x: line 2: expected a text in quotes, not '5'"),
        ('"a', "string", "x: line 1: a quote is not closed"),
        ('"a"', "flag", "x: line 1: expected <exists>, not '\"a\"'"),
    ],
)
def test_token_errors(text: str, method: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        getattr(Tokens(text, "x"), method)()
    assert str(caught.value).startswith(message)
