from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.alignment.formats.textgrid import (
    Interval,
    Tier,
    format_textgrid,
    format_tiers,
    read_textgrid,
)
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Word

# as MFA 3 writes it, but for shorter silences
MFA_LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0 
xmax = 1.61 
tiers? <exists> 
size = 2 
item []: 
    item [1]:
        class = "IntervalTier" 
        name = "words" 
        xmin = 0 
        xmax = 1.61 
        intervals: size = 4 
        intervals [1]:
            xmin = 0.0 
            xmax = 0.21 
            text = "" 
        intervals [2]:
            xmin = 0.21 
            xmax = 0.5 
            text = "don't" 
        intervals [3]:
            xmin = 0.5 
            xmax = 1.03 
            text = "panic" 
        intervals [4]:
            xmin = 1.03 
            xmax = 1.61 
            text = "" 
    item [2]:
        class = "IntervalTier" 
        name = "phones" 
        xmin = 0 
        xmax = 1.61 
        intervals: size = 2 
        intervals [1]:
            xmin = 0.0 
            xmax = 0.21 
            text = "sil" 
        intervals [2]:
            xmin = 0.21 
            xmax = 1.61 
            text = "D" 
"""  # noqa: W291
MFA_SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0.0
1.61
<exists>
3
"TextTier"
"words"
0
1.61
2
0.5
"a click"
1e-1
"!"
"IntervalTier"
"speaker one - phones"
0.0
1.61
1
0.0
1.61
"spn"
"IntervalTier"
"speaker one - words"
0.0
1.61
4
0.0
0.21
"sil"
0.21
0.5
"don't"
0.5
1.03
"panic"
1.03
1.61
"<eps>"
"""
DONT_PANIC = Alignment((Word("don't", 0.21, 0.5), Word("panic", 0.5, 1.03)))


def short(*tiers: tuple[str, list[tuple[float, float, str]]]) -> str:
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "0",
        "9",
        "<exists>",
        f"{len(tiers)}",
    ]
    for name, intervals in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", "9", f"{len(intervals)}"]
        for start, end, label in intervals:
            lines.append(f'{start} {end} "{label}"')
    return "\n".join(lines)


def read(folder: Path, content: str | bytes) -> Alignment:
    path = folder / "a.TextGrid"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_textgrid(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("content", [MFA_LONG, MFA_SHORT], ids=["long", "short"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_read_mfa(tmp_path: Path, content: str, encoding: str, line_end: str) -> None:
    assert read(tmp_path, content.replace("\n", line_end).encode(encoding)) == DONT_PANIC


def test_read_utf16_of_both_byte_orders(tmp_path: Path) -> None:
    content = MFA_LONG.replace("don't", "šťastný💧")
    for bom, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert read(tmp_path, bom + content.encode(encoding)).words[0].word == "šťastný💧"


def test_read_ignores_comments(tmp_path: Path) -> None:
    content = """File type = "ooTextFile"
Object class = "TextGrid" ! "Pitch"
the grid: 0s 9s <exists> tiers[3]: 1 ! 5
"IntervalTier" "any name" 0 9 2
! "IntervalTier"
at 5e-1 (to) +2.5E0 "he said ""stop!"" "  3. 4 "!x"
"""
    assert read(tmp_path, content).words == (Word('he said "stop!"', 0.5, 2.5), Word("!x", 3.0, 4.0))


@pytest.mark.parametrize("label", ["", " ", "sil", "SIL", "sp", "<eps>", "<sil>", "<p:>", "[SIL]"])
def test_read_silences_as_gaps(tmp_path: Path, label: str) -> None:
    alignment = read(tmp_path, short(("words", [(0, 1, "a"), (1, 2, label), (2, 3, "b")])))
    assert alignment == Alignment((Word("a", 0, 1), Word("b", 2, 3)))
    assert alignment.notes == ()


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("well --", (Word("well", 1, 2), Word("--", 2, 2))),
        (
            '"" … well, - !',
            (Word('"', 1, 1), Word("…", 1, 1), Word("well,", 1, 2), Word("-", 2, 2), Word("!", 2, 2)),
        ),
        ("-- ...", (Word("--", 1, 2), Word("...", 2, 2))),
        ("New York --", (Word("New York --", 1, 2),)),
        ("[laughter]", ()),
        ("well [laughter] --", (Word("well", 1, 2), Word("--", 2, 2))),
    ],
)
def test_read_labels_of_several_tokens(tmp_path: Path, label: str, words: tuple[Word, ...]) -> None:
    assert read(tmp_path, short(("words", [(1, 2, label)]))).words == words


def test_read_phones(tmp_path: Path) -> None:
    words = Tier("words", [Interval(0.0, 0.4, "at")])
    phones = Tier("phones", [Interval(0.0, 0.2, "AE1"), Interval(0.2, 0.4, "T"), Interval(0.4, 0.5, "spn")])
    path = tmp_path / "x.TextGrid"
    path.write_text(format_tiers([words, phones], 1.0))
    found = read_textgrid(path, keep_labels=True, tier="phones").words
    assert found == (Word("AE1", 0.0, 0.2), Word("T", 0.2, 0.4), Word("spn", 0.4, 0.5))
    assert read_textgrid(path).words == (Word("at", 0.0, 0.4),)
    path.write_text(format_tiers([words, Tier("syllables", [])], 1.0))
    with pytest.raises(ManifestError, match="name one of these tiers phones: words, syllables"):
        read_textgrid(path, tier="phones")


def test_read_selects_the_tier(tmp_path: Path) -> None:
    right, wrong = [(1.0, 2.0, "right")], [(1.0, 2.0, "wrong")]
    for tiers in (
        [("phones", wrong), ("WORD", right)],
        [("words", right), ("Ann - words", wrong), ("Bob - words", wrong)],
        [("Ann - phones", wrong), ("Ann - Words", right)],
        [("ORT-MAU", right)],
    ):
        assert read(tmp_path, short(*tiers)).words == (Word("right", 1, 2),)


SPEAKERS = short(("Ann - words", [(0, 1, "a")]), ("Ann - phones", []), ("Bob - words", []))
REFUSED = {
    "binary": (b"ooBinaryFile\x08TextGrid", "a binary TextGrid; open it in Praat and save it as a text file"),
    "latin 1": (MFA_LONG.replace("don't", "caf\xe9").encode("latin-1"), "neither UTF-8 nor UTF-16"),
    "half of UTF-16": (MFA_LONG.encode("utf-16")[:-1], "neither UTF-8 nor UTF-16"),
    "other text": ("hello", "not a TextGrid in a text format"),
    "other object": (MFA_LONG.replace("TextGrid", "Pitch 1"), "line 2: a Pitch 1, not a TextGrid"),
    "cut off": (MFA_LONG[: MFA_LONG.index("xmax = 1.03")], "line 25: the file ends where a number is expected; it may"),
    "cut in a label": (MFA_SHORT[: MFA_SHORT.index("nic")], "line 38: a quote is not closed"),
    "quote in a label": (MFA_LONG.replace("don't", 'd"n"t'), "line 22: a quote is not closed, or a quote within"),
    "number in place of text": (MFA_LONG.replace('"panic"', "5"), "line 26: expected a text in quotes, not '5'"),
    "no number": (MFA_SHORT.replace("0.21", "0,21"), "line 31: '0,21' is not a number"),
    "no size": (MFA_SHORT.replace("\n4\n", "\n4.5\n"), "line 29: 4.5 is not a count"),
    "no kind of tier": (MFA_SHORT.replace("TextTier", "Tier"), "'Tier' is not a known kind of tier"),
    "starts later": (MFA_LONG.replace("xmin = 0 \nxmax", "xmin = 4 \nxmax"), "line 4: starts at 4 s"),
    "several speakers": (SPEAKERS, "words of several speakers, but a clip has one (Ann - words, Bob - words)"),
    "no name": (short(("a", []), ("b", [])), "which tier has the words; name one of these tiers words: a, b"),
    "names": (short(("word", []), ("words", [])), "the words; name one of these tiers words: word, words"),
    "no tiers": (MFA_LONG[: MFA_LONG.index("<ex")] + "<absent>", "a.TextGrid: no interval tier"),
    "spn": (MFA_LONG.replace("panic", "spn"), "line 24: 'spn' stands for an unknown word"),
    "<unk>": (MFA_LONG.replace("panic", "<unk>"), "line 24: '<unk>' stands for an unknown word"),
    "[bracketed]": (MFA_SHORT.replace("panic", "[bracketed]"), "line 36: '[bracketed]' stands for an unknown word"),
    "too few intervals": (MFA_LONG.replace("size = 4", "size = 5"), "line 14: the tier 'words' says that it has 5 int"),
    "more intervals": (MFA_LONG.replace("size = 4", "size = 3"), "3 intervals, but 4 follow; correct the number"),
    "more in the last tier": (MFA_LONG.replace("intervals: size = 2", "intervals: size = 0"), "0 intervals, but 2"),
    "more in short text": (MFA_SHORT.replace("\n4\n", "\n2\n"), "line 29: the tier 'speaker one - words' says"),
    "more points": (MFA_SHORT.replace("1.61\n2\n", "1.61\n1\n"), "the tier 'words' says that it has 1 points"),
    "more tiers": (MFA_LONG.replace("size = 2 \nitem", "size = 1 \nitem"), "line 7: the file says that it has 1"),
    "too few tiers": (MFA_SHORT.replace("\n3\n", "\n4\n"), "it has 4 tiers, but 3 follow; the file may be cut off"),
    "absent tiers": (MFA_SHORT.replace("<exists>\n3\n", "<absent>\n"), "it has 0 tiers, but 3 follow"),
    "a number at the end": (MFA_SHORT + "5\n", "the file ends where a number"),
    "a flag at the end": (MFA_SHORT + "<x>\n", "expected a text in quotes, not '<x>'"),
    "goes back": (MFA_LONG.replace("xmin = 0.5", "xmin = 0.2"), "line 24: 'panic' begins at 0.2 s, before the word"),
    "ends first": (MFA_LONG.replace("xmax = 1.03", "xmax = 0.3"), "line 24: 'panic' begins at 0.5 s and ends at 0.3 s"),
    "no end": (MFA_LONG.replace("xmax = 1.03", "xmax = 1e999"), "line 24: 'panic' begins at 0.5 s and ends at inf s"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_read_errors(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "a.TextGrid"))
    assert message in str(caught.value)


def test_read_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a\.TextGrid: missing"):
        read_textgrid(tmp_path / "a.TextGrid")
    with pytest.raises(ManifestError, match="is a folder"):
        read_textgrid(tmp_path)


def test_format_long() -> None:
    alignment = Alignment((Word("--", 0.1, 0.1), Word('"No"', 0.2, 0.5), Word("…", 0.6, 0.6)))
    assert format_textgrid(alignment, 0.75) == (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        "xmin = 0\nxmax = 0.75\ntiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n"
        '        class = "IntervalTier"\n        name = "words"\n        xmin = 0\n        xmax = 0.75\n'
        "        intervals: size = 3\n"
        '        intervals [1]:\n            xmin = 0.0\n            xmax = 0.2\n            text = ""\n'
        '        intervals [2]:\n            xmin = 0.2\n            xmax = 0.5\n            text = "-- ""No"" …"\n'
        '        intervals [3]:\n            xmin = 0.5\n            xmax = 0.75\n            text = ""\n'
    )


def test_format_short() -> None:
    assert format_textgrid(Alignment((Word("No", 0.0, 0.00001),)), 0.0, short=True) == (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        '0\n0.00001\n<exists>\n1\n"IntervalTier"\n"words"\n0\n0.00001\n1\n0.0\n0.00001\n"No"\n'
    )


def test_format_words_without_duration(tmp_path: Path) -> None:
    alignment = Alignment((Word("a", 0.5, 1), Word("b", 1.5, 1.5), Word("c", 2, 3)))
    assert read(tmp_path, format_textgrid(alignment, 4)).words == (Word("a b", 0.5, 1), Word("c", 2, 3))
    dashes = Alignment((Word("-", 1, 1), Word("--", 2, 2)))
    assert read(tmp_path, format_textgrid(dashes, 4)).words == (Word("-", 0, 4), Word("--", 4, 4))
    assert read(tmp_path, format_textgrid(Alignment(()), 4)).words == ()
    with pytest.raises(ManifestError, match="without duration"):
        format_textgrid(Alignment(()), 0)


@pytest.mark.parametrize("label", ["sil", "SP", "<eps>", "#"])
def test_format_refuses_silence_labels(label: str) -> None:
    with pytest.raises(ManifestError, match="can't be written as a TextGrid"):
        format_textgrid(Alignment((Word(label, 0, 1),)), 1)
    assert label in format_textgrid(Alignment((Word(f"{label}.", 0, 1),)), 1)


characters = st.characters(exclude_categories=("Cs", "Zs", "Cc", "Zl", "Zp"))
words = st.text(characters, min_size=1).map(lambda text: f"{text}x")
marks = st.lists(st.sampled_from(['"', "--", "…", "!", "&", "?!", '""', "<>"]), max_size=3)
# from nothing to a day, and the smallest of floats too
times = st.lists(st.floats(0, 1e5), min_size=2, max_size=20, unique=True).map(sorted)


@st.composite
def alignments(draw: st.DrawFn) -> Alignment:
    edges: list[float] = draw(times)
    alignment_words: list[Word] = []
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        alignment_words += [Word(mark, start, start) for mark in draw(marks)] if not alignment_words else []
        alignment_words.append(Word(draw(words), start, end))
        alignment_words += [Word(mark, end, end) for mark in draw(marks)]
    return Alignment(tuple(alignment_words))


@given(alignments(), st.floats(0, 1e5), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_read_inverts_format(
    tmp_path_factory: pytest.TempPathFactory, alignment: Alignment, seconds: float, short: bool, encoding: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    result = read(folder, format_textgrid(alignment, seconds, short).encode(encoding))
    assert result == alignment
    assert result.notes == ()


def test_format_tiers(tmp_path):
    tiers = [
        Tier('the "a"', [Interval(0.1, 0.2, "x")]),
        Tier("words", [Interval(0, 0.4, 'y "z"')]),
        Tier("clicks", [Interval(0.3, 0.3, "!")], of_points=True),
    ]
    short = format_tiers(tiers, 0.4, short=True)
    assert short.splitlines() == [
        *('File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "0.4", "<exists>", "3"),
        *('"IntervalTier"', '"the ""a"""', "0", "0.4", "3"),
        *("0.0", "0.1", '""', "0.1", "0.2", '"x"', "0.2", "0.4", '""'),
        *('"IntervalTier"', '"words"', "0", "0.4", "1", "0.0", "0.4", '"y ""z"""'),
        *('"TextTier"', '"clicks"', "0", "0.4", "1", "0.3", '"!"'),
    ]
    for text in (short, format_tiers(tiers, 0.4)):
        (tmp_path / "a.TextGrid").write_text(text)
        assert read_textgrid(tmp_path / "a.TextGrid").words == (Word('y "z"', 0, 0.4),)
