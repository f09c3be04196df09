"""The page in a browser: Debian's chromium, without a window."""

import shutil
from contextlib import suppress
from dataclasses import replace

import numpy as np
import page_fixtures
import pytest
from inspection_fixtures import line

from spiritlm_cli.inspection.inspected import RebuiltF0
from spiritlm_cli.inspection.page import Page
from spiritlm_cli.inspection.unit_diff import diff_inspected
from spiritlm_cli.tokens.writer import format_sequence

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are needed to test the page"
)

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-extensions",
    "--autoplay-policy=no-user-gesture-required",
)


class Browser:
    """Pages from files, and what is seen in them."""

    def __init__(self, driver, folder):
        self.driver = driver
        self.folder = folder

    def open(self, *inputs, width=900, height=1100, scheme="light"):
        """Show a page with these inputs, and wait until the sound of the first is decoded."""
        path = self.folder / "page.html"
        with Page(path) as page:
            for inspected in inputs:
                page.add(inspected)
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(path.as_uri())
        if inputs and inputs[0].original:
            self.wait("!document.getElementById('play').disabled")

    def run(self, expression):
        return self.driver.execute_script(f"return {expression}")

    def wait(self, expression):
        """Wait until an expression of JavaScript is true."""
        WebDriverWait(self.driver, 10, 0.02).until(lambda _: self.run(expression), expression)

    def keys(self, *keys):
        ActionChains(self.driver, 0).send_keys(*keys).perform()

    def click(self, selector):
        self.driver.find_element("css selector", selector).click()

    def text(self, identifier):
        return self.run(f"document.getElementById('{identifier}').textContent")

    def pressed(self, identifier):
        return self.run(f"document.getElementById('{identifier}').getAttribute('aria-pressed') === 'true'")

    def selected(self, selector):
        """The text of the option that is selected in a list."""
        return self.run(f"document.querySelector('{selector} [aria-selected=true]')?.textContent")

    @property
    def time(self):
        """The position in seconds."""
        return float(self.run("document.getElementById('time').dataset.seconds"))

    def click_picture(self, seconds, lane="waveform", until=None):
        """Click into a lane at a time, or drag from it to another."""
        left, top, width = self.driver.execute_script(
            """
            const label = [...document.querySelectorAll(".lane-label")].find((l) => l.textContent === arguments[0]);
            const box = document.getElementById("scroller").getBoundingClientRect();
            const extent = document.getElementById("extent").getBoundingClientRect();
            // Selenium counts from the center of an element.
            return [extent.left - box.left - box.width / 2, label.offsetTop + 10 - box.height / 2, extent.width];
            """,
            lane,
        )
        scale = width / 4  # all clips here have 4 s
        actions = ActionChains(self.driver, 0)
        scroller = self.driver.find_element("id", "scroller")
        actions.move_to_element_with_offset(scroller, round(left + seconds * scale), round(top))
        if until is None:
            actions.click()
        else:
            actions.click_and_hold().move_by_offset(round((until - seconds) * scale), 0).release()
        actions.perform()

    def errors(self):
        return self.driver.get_log("browser")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(CHROMEDRIVER))
    yield driver
    with suppress(Exception):
        driver.quit()


@pytest.fixture
def browser(driver, tmp_path):
    browser = Browser(driver, tmp_path)
    yield browser
    assert browser.errors() == []


@pytest.fixture(scope="module")
def waveform(recording_file):
    return page_fixtures.recording(recording_file, 4)


@pytest.fixture(scope="module")
def clip(waveform):
    return page_fixtures.clip(waveform)


def test_page_plays(browser, clip):
    browser.open(clip)
    assert browser.text("time") == "0:00.00 / 0:04.00"
    assert "4.00 s · 100 phonetic units in 50 runs, 50 different" in browser.text("statistics")
    browser.click("#play")
    browser.wait("document.getElementById('audio').currentTime > 0.1")
    browser.wait("Number(document.getElementById('time').dataset.seconds) > 0.1")
    assert browser.text("play-label") == "Pause"
    browser.click("#speeds button")
    audio = "document.getElementById('audio')"
    assert browser.run(f"[{audio}.playbackRate, {audio}.preservesPitch, {audio}.paused]") == [
        0.5,
        True,
        False,
    ]
    browser.click("#play")
    browser.wait(f"{audio}.paused")
    assert browser.time > 0.1


def test_page_seeks_by_click(browser, clip):
    browser.open(clip)
    browser.click_picture(2.5)
    assert browser.time == pytest.approx(2.5, abs=0.01)
    # the tokens that sound there
    now = browser.run("[...document.querySelectorAll('.token.now')].map((token) => token.textContent)")
    assert now == ["[St1]", "[Pi10]", "[Hu31]"]
    browser.keys(Keys.SPACE)
    browser.wait("document.getElementById('audio').currentTime > 2.55")


def test_page_switches_sounds_and_keeps_the_position(browser, clip):
    browser.open(clip)
    browser.click_picture(1.5)
    before = browser.time
    browser.keys("r")
    assert (browser.pressed("sound-resynthesis"), browser.pressed("sound-original")) == (True, False)
    assert browser.time == pytest.approx(before)
    browser.keys(Keys.SPACE)
    browser.wait("document.getElementById('audio').currentTime > 1.55")
    browser.click("#sound-original")
    browser.wait("!document.getElementById('audio').paused")
    assert browser.pressed("sound-original")
    assert browser.time > before


def test_page_plays_a_token(browser, clip):
    browser.open(clip)
    browser.click(".token.Hu[data-index='20']")
    token = browser.selected("#token-line")
    number = int(token.removeprefix("[Hu").removesuffix("]"))
    assert browser.text("detail").startswith(
        f"Hu{number} · {number * 0.08:.3f}–{(number + 1) * 0.08:.3f} s (80 ms)"
    )
    browser.wait("document.getElementById('audio').ended")
    assert browser.run("document.getElementById('audio').duration") == pytest.approx(0.08)
    # and the cursor is where the token begins
    browser.wait(f"document.getElementById('time').dataset.seconds === '{number * 0.08:.3f}'")
    browser.keys("]")
    assert browser.selected("#token-line") != token


def test_page_plays_units_and_words_of_the_picture(browser, clip):
    browser.open(clip)
    browser.click_picture(2.05, "phonetic")
    assert browser.selected("#token-line") == "[Hu25]"
    browser.click_picture(0.8, "words")
    browser.wait("document.getElementById('audio').duration > 0.39")
    assert browser.text("detail") == "world · 0.700–1.100 s (400 ms)"


def test_page_explains_what_is_under_the_pointer(browser, clip):
    browser.open(clip)
    browser.click_picture(0.5, "pitch")
    lines = browser.run("[...document.getElementById('tooltip').children].map((line) => line.textContent)")
    assert lines == ["Pi2", "0.480–0.720 s (240 ms)", "3 units in succession", "the only place in the clip"]


def test_page_plays_a_selection(browser, clip):
    browser.open(clip)
    browser.click_picture(1.0, until=2.0)
    assert browser.text("play-label") == "Play selection"
    browser.keys("l", Keys.SPACE)
    browser.wait("document.getElementById('audio').currentTime > 0.1")
    assert browser.run("document.getElementById('audio').duration") == pytest.approx(1, abs=0.02)
    assert browser.run("document.getElementById('audio').loop")
    browser.keys(Keys.ESCAPE)
    assert browser.run("document.getElementById('selection').hidden")


def test_page_searches(browser, clip):
    browser.open(clip, replace(clip, id="other"), page_fixtures.interleaved())
    browser.keys("/", "Hu5")
    assert browser.run("document.getElementById('places').children.length") == 4
    browser.keys(Keys.ENTER)
    assert browser.selected("#places") == "clip0:00.40[Hu3][Hu4][Hu5][Hu6][Hu7]"
    assert browser.selected("#token-line") == "[Hu5]"
    browser.keys("n")
    assert browser.text("clip-id") == "other"
    assert browser.time == pytest.approx(0.4)
    browser.keys("N")
    assert browser.text("clip-id") == "clip"
    browser.keys(Keys.ENTER)
    browser.wait("document.getElementById('audio').duration < 0.1")
    browser.keys(Keys.ESCAPE)
    assert browser.run("document.getElementById('results').hidden")


def test_page_counts_places(browser, clip):
    browser.open(clip, replace(clip, id="other"), page_fixtures.interleaved())
    titles = {
        "Hu5": "4 places in 3 clips",
        "[pi3]": "2 places in 2 clips",
        "1": "6 places in 2 clips",
        "WORLD": "2 places in 2 clips",
        "cat": "1 place in 1 clip",
        "Hu499": "Not found",
        ".*": "Not found",
    }
    for query, title in titles.items():
        browser.driver.execute_script(
            "const query = document.getElementById('query');"
            "query.value = arguments[0]; query.dispatchEvent(new Event('input'))",
            query,
        )
        assert (query, browser.text("results-title")) == (query, title)


def test_page_keys(browser, clip):
    browser.open(clip)
    browser.keys(Keys.ARROW_RIGHT)
    assert browser.time == pytest.approx(0.08)
    ActionChains(browser.driver, 0).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(
        Keys.SHIFT
    ).perform()
    assert browser.time == pytest.approx(1.08)
    browser.keys(Keys.ARROW_LEFT)
    assert browser.time == pytest.approx(1.04)
    browser.keys(Keys.END)
    assert browser.time == pytest.approx(4)
    width = browser.run("document.getElementById('extent').clientWidth")
    browser.keys("+")
    assert browser.run("document.getElementById('extent').clientWidth") == pytest.approx(1.5 * width, abs=2)
    browser.keys("0")
    assert browser.run("document.getElementById('extent').clientWidth") == width
    browser.keys("?")
    assert "play or pause" in browser.text("key-list")
    assert browser.run("document.getElementById('keys').open")
    browser.keys(Keys.ESCAPE)
    assert not browser.run("document.getElementById('keys').open")


def test_page_lists_clips(browser, clip):
    browser.open(
        clip, page_fixtures.interleaved(), page_fixtures.text_only(), page_fixtures.text_only("empty", "")
    )
    assert browser.text("clips-title") == "4 clips"
    browser.keys(Keys.ARROW_DOWN)
    assert browser.text("clip-id") == "interleaved"
    assert browser.text("notice").startswith("Times are predicted.")
    assert browser.text("problem") == "There is no sound for this line."
    browser.keys(Keys.ARROW_DOWN)
    assert browser.run("document.getElementById('player').hidden")
    assert browser.text("token-line") == "[TEXT]only text"
    browser.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert browser.text("token-line") == "This line has no tokens."
    browser.click("#filter")
    browser.keys("CLIP")
    assert browser.text("clips-title") == "1 of 4 clips"


def test_page_copies_the_token_line(browser, clip):
    line = format_sequence(clip.sequence)
    browser.open(clip)
    assert browser.text("token-line") == line
    copied = browser.driver.execute_script(
        """
        getSelection().selectAllChildren(document.getElementById("token-line"));
        const clipboardData = new DataTransfer();
        document.querySelector(".token").dispatchEvent(new ClipboardEvent("copy", { clipboardData, bubbles: true }));
        return clipboardData.getData("text/plain");
        """
    )
    assert copied == line
    browser.click("#copy")
    browser.wait("document.getElementById('copy').textContent === 'Copied'")


def test_page_marks_hidden_characters_and_copies_them(browser):
    text = "ab\u202ecd\u2066\x07e\u00ad👩\u200d🚀"
    inspected = line(f"[TEXT]{text}[SPEECH][Hu5][Hu5]")
    written = format_sequence(inspected.sequence)
    browser.open(inspected)
    hidden = "[...document.querySelectorAll('.hidden-character')]"
    assert browser.run(f"{hidden}.map((mark) => mark.textContent)") == ["\u202e", "\u2066", "\x07", "\u00ad"]
    assert (
        browser.run(f"{hidden}.map((mark) => getComputedStyle(mark, '::before').content)") == ['"\ufffd"'] * 4
    )
    # what follows an override is to the right of it, in the order of the line
    lefts = browser.driver.execute_script(
        """
        const parts = [...document.querySelector(".span.text bdi").childNodes];
        return parts.slice(0, 4).flatMap((part) => {
          if (part.nodeType !== Node.TEXT_NODE) return part.getBoundingClientRect().left;
          return [...part.data].map((_, index) => {
            const range = new Range();
            range.setStart(part, index);
            range.setEnd(part, index + 1);
            return range.getBoundingClientRect().left;
          });
        });
        """
    )
    assert len(lefts) == 6
    assert lefts == sorted(set(lefts))
    copied = browser.driver.execute_script(
        """
        getSelection().selectAllChildren(document.getElementById("token-line"));
        const clipboardData = new DataTransfer();
        document.querySelector(".token").dispatchEvent(new ClipboardEvent("copy", { clipboardData, bubbles: true }));
        getSelection().removeAllRanges();
        return clipboardData.getData("text/plain");
        """
    )
    assert copied == written
    browser.run("copyText = (text) => { window.copied = text; return true; }")
    browser.click("#copy")
    browser.wait("document.getElementById('copy').textContent === 'Copied'")
    assert browser.run("window.copied") == written


def test_page_in_dark_mode(browser, clip):
    browser.open(clip, scheme="dark")
    color = "getComputedStyle(document.body).backgroundColor"
    assert browser.run(color) == "rgb(20, 23, 28)"
    browser.keys("t")
    assert browser.run(color) == "rgb(255, 255, 255)"
    browser.keys("t")
    assert browser.run(color) == "rgb(20, 23, 28)"


@pytest.mark.parametrize("width", [400, 800])
def test_page_in_narrow_windows(browser, clip, waveform, width):
    browser.open(clip, page_fixtures.hostile(waveform), width=width)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(overflow) == 0
    browser.keys(Keys.ARROW_DOWN)
    assert browser.run(overflow) == 0


def test_page_runs_no_script_of_hostile_strings(browser, waveform):
    browser.open(page_fixtures.hostile(waveform), page_fixtures.hostile(waveform))
    browser.keys("/", "</script>")
    assert browser.text("results-title") == "4 places in 2 clips"
    browser.keys(Keys.ENTER)
    browser.click_picture(0.3, "words")
    assert browser.run("window.attacked") is None
    assert browser.run("document.images.length") == 0
    # what could disguise an id is visible
    assert "\u202e" not in browser.text("clip-id")


def test_page_decodes_sounds_to_the_same_samples(browser, clip):
    browser.open(clip)
    samples = browser.run(
        "decodeSounds({ index: 0, sounds: { original: { rate: 16000 }, resynthesis: { rate: 16000 } } })"
        ".then((sounds) => Array.from(sounds.original.slice(0, 100000), (sample) => Math.round(32768 * sample)))"
    )
    assert samples == (clip.original.waveform.samples * 32768).astype(int).tolist()


def test_page_spectrogram_of_a_tone(browser, clip):
    browser.open(clip)
    levels = browser.driver.execute_script(
        """
        const tone = Float32Array.from({ length: 16000 }, (_, i) => Math.sin((2 * Math.PI * 1000 * i) / 16000));
        const levels = new Float32Array(FFT_SIZE / 2);
        new Spectrogram(tone, 16000).column(0.5, levels, 0);
        return Array.from(levels);
        """
    )
    assert levels[32] == pytest.approx(1, abs=0.01)  # 1000 Hz: bin 32 of 31.25 Hz
    # a Hann window of 400 samples: its side lobes are lower than the range that is shown
    assert [index for index, level in enumerate(levels) if level > 0.2 and abs(index - 32) > 6] == []


def test_page_gives_relative_f0_the_mean_of_the_resynthesis(browser, clip):
    # all values are above 0, as they may be in a short line
    relative = RebuiltF0(np.full(800, 5, dtype=np.float32), is_relative=True)
    browser.open(replace(clip, original=None, rebuilt_f0=relative))
    assert "from pitch units, with the mean of the resynthesis" in browser.text("legend")
    browser.click_picture(1.0, "F0")
    assert "from pitch units: 130 Hz" in browser.text("tooltip")


def test_page_draws_only_what_is_visible(browser, clip):
    browser.open(clip)
    browser.keys("+" * 12)
    assert browser.run("document.getElementById('extent').clientWidth") > 10_000
    assert browser.run("document.getElementById('canvas').width") < 900


def test_page_without_clips(browser):
    browser.open()
    assert browser.text("layout") == "There are no clips in this page."


def test_page_of_a_comparison(browser):
    one, other = (
        line(f"[SPEECH][Pi1][Hu5]{units}[Hu9]", name) for name, units in (("x", "[Hu7]"), ("y", "[Hu8]"))
    )
    path = browser.folder / "diff.html"
    with Page(path) as page:
        page.add_diff(diff_inspected(one, other))
    browser.driver.get(path.as_uri())
    labels = browser.run("[...document.querySelectorAll('.lane-label')].map((label) => label.textContent)")
    assert labels == ["phonetic", "compared", "pitch", "compared"]
    assert "Compared with B, y of lines.txt" in browser.text("notice")
    assert "phonetic: 1 replaced, 0 inserted, 0 deleted, UER 33.3 %" in browser.text("notice")
    ids = browser.run(
        "[...document.querySelectorAll('#clips [role=option]')].map((clip) => clip.textContent)"
    )
    assert [name for name in ("x (A)", "y (B)") if any(name in clip for clip in ids)] == ["x (A)", "y (B)"]
    assert browser.errors() == []
