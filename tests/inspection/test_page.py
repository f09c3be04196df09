import json
import re
import weakref
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import page_fixtures
import pytest
from inspection_fixtures import line

from spiritlm_cli.errors import AudioError
from spiritlm_cli.inspection.inspected import Sound
from spiritlm_cli.inspection.page import Page, content_policy, page_parts
from spiritlm_cli.inspection.palette import DARK, LIGHT
from spiritlm_cli.inspection.unit_diff import diff_inspected
from spiritlm_cli.manifests.clip import Waveform


class Document(HTMLParser):
    """The elements of a page, and the content of its scripts and styles."""

    def __init__(self, content):
        super().__init__()
        self.elements = []
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def scripts(self, attribute):
        return [
            json.loads("".join(content)) for tag, attributes, content in self.elements
            if tag == "script" and attribute in attributes
        ]  # fmt: skip


@pytest.fixture(scope="module")
def waveform(recording_file):
    return page_fixtures.recording(recording_file, 2)


def write(path, *inputs):
    with Page(path) as page:
        for inspected in inputs:
            page.add(inspected)
    return path.read_text(encoding="utf-8")


def test_page(tmp_path, waveform):
    content = write(tmp_path / "out.html", page_fixtures.clip(waveform), page_fixtures.interleaved())
    document = Document(content)
    clip, line = document.scripts("data-clip")
    assert (clip["id"], line["id"], line["predicted"]) == ("clip", "interleaved", True)
    assert [list(sounds) for sounds in document.scripts("data-sounds")] == [["original", "resynthesis"], []]
    assert content.startswith("<!doctype html>")
    assert content.endswith("</html>\n")
    assert "{{" not in re.sub(r"<script>.*</script>", "", content, flags=re.DOTALL)


def test_page_is_byte_identical(tmp_path, waveform):
    inputs = page_fixtures.clip(waveform), page_fixtures.hostile(waveform)
    assert write(tmp_path / "1.html", *inputs) == write(tmp_path / "2.html", *inputs)


def test_page_of_30_seconds_is_smaller_than_3_mb(tmp_path, recording_file):
    inspected = page_fixtures.clip(page_fixtures.recording(recording_file, 30), repeats=True)
    assert len(write(tmp_path / "out.html", inspected)) < 3_000_000


def test_page_loads_nothing(tmp_path, waveform):
    content = write(tmp_path / "out.html", page_fixtures.clip(waveform))
    assert "http://" not in content
    assert "https://" not in content
    policies = [a["content"] for _, a, _ in Document(content).elements if a.get("http-equiv")]
    style, script = (re.search(f"<{tag}>(.*?)</{tag}>", content, re.DOTALL)[1] for tag in ("style", "script"))
    assert policies == [content_policy(script, style)]
    assert policies[0].startswith("default-src 'none'; ")
    assert script.startswith('"use strict";')


def test_page_of_hostile_strings(tmp_path, waveform):
    inspected = page_fixtures.hostile(waveform)
    document = Document(write(tmp_path / "out.html", inspected))
    (clip,) = document.scripts("data-clip")
    assert clip["id"] == inspected.id
    assert clip["words"][0]["word"] == page_fixtures.HOSTILE
    assert clip["texts"][0]["text"] == inspected.timeline.texts[0].text
    harmless = Document(write(tmp_path / "out.html", replace(inspected, id="id")))
    tags = [[tag for tag, *_ in page.elements] for page in (document, harmless)]
    assert tags[0] == tags[1]
    assert tags[0].count("script") == 3


def test_page_without_clips(tmp_path):
    assert Document(write(tmp_path / "out.html")).scripts("data-clip") == []


def test_page_appears_only_when_complete(tmp_path, waveform):
    path = tmp_path / "out.html"
    path.write_text("before")

    def interrupt():
        with Page(path) as page:
            page.add(page_fixtures.clip(waveform))
            assert path.read_text() == "before"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_page_goes_on_after_an_input_that_it_refuses(tmp_path, waveform):
    broken = Sound(Waveform(np.full(10, np.nan, dtype=np.float32), 16000))
    with Page(tmp_path / "out.html") as page:
        with pytest.raises(AudioError, match="not a number"):
            page.add(replace(page_fixtures.clip(waveform), original=broken))
        page.add(page_fixtures.clip(waveform))
    document = Document((tmp_path / "out.html").read_text())
    assert [len(document.scripts(name)) for name in ("data-clip", "data-sounds")] == [1, 1]


def test_page_keeps_no_clip(tmp_path, waveform):
    with Page(tmp_path / "out.html") as page:
        inspected = page_fixtures.clip(waveform)
        page.add(inspected)
        reference = weakref.ref(inspected)
        del inspected
        assert reference() is None


def test_page_is_written_to_open_files(tmp_path):
    with (tmp_path / "out.html").open("wb") as file, Page(Path(f"/dev/fd/{file.fileno()}")) as page:
        page.add(page_fixtures.interleaved())
    assert len(Document((tmp_path / "out.html").read_text()).scripts("data-clip")) == 1


def test_page_in_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError), Page(tmp_path / "missing" / "out.html"):
        pass


def test_page_parts_have_the_palettes():
    before, after = page_parts()
    assert before.count(f"--pitch: {LIGHT.pitch};") == 1
    assert before.count(f"--pitch: {DARK.pitch};") == 2  # chosen, and by the system
    assert "innerHTML" not in after


def test_page_add_diff(tmp_path):
    path = tmp_path / "diff.html"
    with Page(path) as page:
        page.add_diff(diff_inspected(line("[SPEECH][Hu5][Hu7]", "x"), line("[SPEECH][Hu5][Hu8][Hu9]", "y")))
    clips = Document(path.read_text()).scripts("data-clip")
    assert [clip["id"] for clip in clips] == ["x (A)", "y (B)"]
    assert [clip["lanes"][0]["ids"] for clip in clips] == [[5, 7], [5, 8, 9]]
    assert [clip["other"]["lanes"][0]["ids"] for clip in clips] == [[5, 8, 9], [5, 7]]
