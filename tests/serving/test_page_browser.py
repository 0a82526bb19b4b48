"""The page in a real browser, with a microphone that is fed from a file."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from PIL import Image

from s2igan.engine.launch import free_port
from s2igan.serving import gallery
from tests.rdg.makers import EMBEDDING_DIM
from tests.serving.makers import RATE, TTS, babble, write_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ViewportSize

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine", allow_module_level=True)
pytest.importorskip("gradio", reason="the page needs the extra `demo`")

ROOT = Path(__file__).parents[2]
ELSEWHERE = "elsewhere.test"
FINGERPRINT = re.compile("([0-9A-F]{2}:){31}[0-9A-F]{2}")
PATIENCE_S = 180
DESKTOP: "ViewportSize" = {"width": 1280, "height": 900}
PHONE: "ViewportSize" = {"width": 360, "height": 740}

# A browser before its visitor was asked, who will refuse: it names no device.
REFUSING = """
    navigator.mediaDevices.enumerateDevices =
        async () => [{kind: "audioinput", deviceId: "", label: ""}];
    navigator.mediaDevices.getUserMedia =
        async () => { throw new DOMException("Permission denied", "NotAllowedError"); };
"""
LARGE_LETTERS = """
    const style = document.createElement("style");
    style.textContent = "html { font-size: 28px !important }";
    addEventListener("DOMContentLoaded", () => document.head.append(style));
"""


DOCUMENTATION = ROOT / "docs" / "page.md"


class Servers(NamedTuple):
    """What two servers of the page told, where they are, and what they connected to.

    Args:
        told: their lines.
        plain: address of the one for this machine alone.
        secure: that of the one for the network, by another name.
        connections: a file of connections to other machines, if there were any.
    """

    told: list[str]
    plain: str
    secure: str
    connections: Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model with a gallery, a clip as an example, and recordings to upload."""
    folder = write_model(tmp_path_factory.mktemp("page") / "model")
    card = {"name": "Small", "corpus": {"kind": "minibirds"}, "tts": TTS}
    (folder / "card.json").write_text(json.dumps(card))
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((20, EMBEDDING_DIM)).astype(np.float32)
    pictures = rng.integers(0, 256, (20, 8, 8, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "find_gallery", lambda *_: gallery.Gallery(pictures, embeddings))
        gallery.write_gallery(folder, folder, dimension=EMBEDDING_DIM, side=8, count=20)
    (folder / "examples.json").write_text('{"babble.wav": "A red bird that babbles"}')
    soundfile.write(folder / "babble.wav", babble(1), RATE)
    soundfile.write(folder / "said.wav", babble(2), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE, np.int16), RATE)
    soundfile.write(folder / "long.wav", babble(3, seconds=40, rate_hz=4000), 4000)
    (folder / "text.wav").write_text("Not a sound.")
    return folder


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[Servers]:
    """Two servers of the model: one for this machine, one for its network."""
    home = folder.parent / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "loopback"), str(ROOT)]),
        "CONNECTIONS": str(home / "connections"),
        "XDG_STATE_HOME": str(home),
        "GRADIO_TEMP_DIR": str(home / "uploads"),
        "OMP_NUM_THREADS": "1",
        "S2IGAN_DEVICE": "cpu",
    }
    script = Path(__file__).with_name("two_pages.py")
    with (
        (home / "errors").open("w") as errors,
        free_port() as plain,
        free_port() as secure,
        subprocess.Popen(
            [sys.executable, str(script), str(folder), str(plain), str(secure)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            told = introduction(process)
            yield Servers(told, *addresses(told), home / "connections")
        finally:
            process.kill()


def introduction(process: "subprocess.Popen[str]") -> list[str]:
    """Wait for both servers, and return their lines; the last one is the fingerprint."""
    assert process.stdout is not None
    told: list[str] = []
    for line in process.stdout:
        told.append(line.rstrip("\n"))
        if FINGERPRINT.fullmatch(told[-1]):
            return told
    raise AssertionError("a server ended without an address")


def addresses(told: list[str]) -> tuple[str, str]:
    """Return ``http://127.0.0.1:…`` and ``https://elsewhere.test:…``."""
    ports = dict(re.findall(r"(https?)://[\d.]+:(\d+)", "\n".join(told)))
    return f"http://127.0.0.1:{ports['http']}", f"https://{ELSEWHERE}:{ports['https']}"


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator["Browser"]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=CHROMIUM,
            timeout=1000 * PATIENCE_S,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={folder / 'said.wav'}",
                f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
            ],
        )
        yield chromium
        chromium.close()


class Visit:
    """One opened page; where it wanted to connect to is kept.

    Args:
        browser: what opens it.
        address: of a server.
        size: of the window.
        script: that the browser runs before those of the page.
    """

    def __init__(
        self, browser: "Browser", address: str, size: "ViewportSize", script: str = ""
    ) -> None:
        context = browser.new_context(ignore_https_errors=True, viewport=size)
        context.set_default_timeout(1000 * PATIENCE_S)
        context.add_init_script(script)
        self.page = context.new_page()
        self.hosts: set[str] = set()
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(host(request.url)))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector(".pictures.waiting")

    def upload(self, clip: Path) -> None:
        self.page.get_by_role("tab", name="Upload").click()
        self.page.set_input_files("#upload input[type=file]", clip)

    def pictures(self, where: str = ".pictures") -> npt.NDArray[np.uint8]:
        """Return the pictures shown there, ``(n, S, S, 3)``."""
        self.page.wait_for_selector(f"{where} img")
        # At once: between two questions other pictures may take the place of these.
        images = self.page.locator(f"{where} img").evaluate_all(
            "images => images.map(image => [image.alt, image.src])"
        )
        assert all(alt for alt, _ in images)
        encoded = (source.removeprefix("data:image/png;base64,") for _, source in images)
        return np.stack([np.asarray(Image.open(io.BytesIO(base64.b64decode(e)))) for e in encoded])

    def other_pictures(self, before: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Wait until other pictures are shown, and return them."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            after = self.pictures()
            if not np.array_equal(after, before):
                return after
            self.page.wait_for_timeout(50)
        raise AssertionError("the same pictures are shown")

    def outgrown(self, buttons: str) -> list[str]:
        """Return the words that stick out of their buttons."""
        wide = (
            "button.scrollWidth > button.clientWidth || button.scrollHeight > button.clientHeight"
        )
        outgrown: list[str] = self.page.locator(buttons).evaluate_all(
            f"buttons => buttons.filter(button => {wide}).map(button => button.innerText)"
        )
        return outgrown

    def problem(self) -> str:
        return self.page.locator("#problem .notice").inner_text()


def host(url: str) -> str:
    found = re.match(r"\w+:(?://)?(?:[a-z]+://)?([^:/]*)", url)
    assert found
    return "" if url.startswith("data:") else found[1]


@pytest.fixture
def visit(browser: "Browser", servers: Servers, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """The page on this machine; nothing may want to connect to another one."""
    where, size = getattr(request, "param", ("plain", DESKTOP))
    opened = Visit(browser, getattr(servers, where), size)
    yield opened
    opened.page.context.close()
    assert opened.hosts <= {"127.0.0.1", ELSEWHERE, ""}
    assert opened.problems == []
    assert not servers.connections.exists(), servers.connections.read_text()


@pytest.mark.parametrize("visit", [("secure", PHONE)], indirect=True)
def test_from_a_recording_to_pictures_on_a_phone(visit: Visit) -> None:
    visit.page.click("#microphone .record-button")
    visit.page.wait_for_selector("#microphone .stop-button")  # until then nothing is recorded
    visit.page.wait_for_timeout(1500)
    assert visit.outgrown("#microphone button") == []
    visit.page.click("#microphone .stop-button")
    assert visit.pictures().shape == (6, 32, 32, 3)
    assert str(visit.page.get_attribute("img.mel", "src")).startswith("data:image/png")
    assert str(visit.page.get_attribute("audio[aria-label]", "src")).startswith("data:audio/flac")
    assert visit.pictures(".nearest").shape == (12, 8, 8, 3)
    assert "s of speech" in visit.page.inner_text("#pictures .said")
    # What was drawn is brought into view, and nothing sticks out of the window.
    visit.page.wait_for_function(
        "document.querySelector('#see').getBoundingClientRect().top < innerHeight / 2"
    )
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_one_seed_draws_one_set_of_pictures(visit: Visit, folder: Path) -> None:
    visit.upload(folder / "said.wav")
    first = visit.pictures()
    visit.page.get_by_role("button", name="Draw again").click()
    second = visit.other_pictures(first)
    assert visit.page.input_value("#seed input") != "1"
    visit.page.fill("#seed input", "1")
    visit.page.press("#seed input", "Enter")
    np.testing.assert_array_equal(visit.other_pictures(second), first)
    visit.page.fill("#variety input[type=number]", "0.1")
    visit.page.press("#variety input[type=number]", "Enter")
    tame = visit.other_pictures(first)
    assert tame.std(axis=0).mean() < 0.5 * first.std(axis=0).mean()
    visit.page.fill("#seed input", "12345")
    visit.page.press("#seed input", "Enter")
    visit.page.wait_for_selector('.pictures a[download="s2igan-9999-1.png"]')
    assert visit.page.input_value("#seed input") == "9999"


def test_a_colour_of_a_typed_sentence_is_changed_with_the_same_noise(visit: Visit) -> None:
    pytest.importorskip("espeakng_loader", reason="no espeak-ng to speak what is typed")
    visit.page.get_by_role("tab", name="Type").click()
    visit.page.fill("#sentence textarea", "A bird with a red crown and a blue tail.")
    visit.page.get_by_role("button", name="Speak it").click()
    drawn = visit.pictures()
    visit.page.get_by_label("blue tail").check()
    visit.page.get_by_label("yellow", exact=True).check()
    pairs = visit.pictures(".swap")
    np.testing.assert_array_equal(pairs[:4], drawn[:4])
    assert (pairs[4:] != pairs[:4]).any()
    assert visit.page.locator(".swap mark").all_inner_texts() == ["blue", "yellow"]
    visit.page.fill("#sentence textarea", "A small bird with a long bill.")
    visit.page.press("#sentence textarea", "Enter")
    visit.other_pictures(drawn)


def test_what_was_chosen_last_counts_however_soon_it_came(visit: Visit) -> None:
    pytest.importorskip("espeakng_loader", reason="no espeak-ng to speak the changed sentence")
    visit.page.get_by_role("button", name="A red bird that babbles").click()
    visit.pictures()
    # Each before the one before it can be answered, but not in one turn of the browser's loop.
    visit.page.locator("#colour").evaluate(
        """async (colours, chosen) => {
            for (const colour of chosen) {
                colours.querySelector(`input[value="${colour}"]`).click();
                await new Promise(go => setTimeout(go, 20));
            }
        }""",
        ["green", "brown", "yellow"],
    )
    visit.page.wait_for_function(
        "document.querySelectorAll('.swap mark')[1]?.innerText == 'yellow'"
    )
    assert visit.page.locator(".swap mark").all_inner_texts() == ["red", "yellow"]


def test_an_example_is_drawn_and_its_words_can_be_changed(visit: Visit) -> None:
    visit.page.get_by_role("button", name="A red bird that babbles").press("Enter")
    assert len(visit.pictures()) == 6
    assert visit.page.get_by_label("red bird").is_checked()


@pytest.mark.parametrize(
    ("clip", "word"),
    [
        ("silent.wav", "silence"),
        ("long.wav", "at most 30 s"),
        ("text.wav", "do not decode"),
    ],
)
def test_a_recording_that_is_none_gets_a_clear_word(
    visit: Visit, folder: Path, clip: str, word: str
) -> None:
    visit.upload(folder / clip)
    assert word in visit.problem()
    assert clip in visit.problem()
    assert visit.page.locator(".pictures.waiting").is_visible()


@pytest.mark.parametrize("visit", [("plain", PHONE)], indirect=True)
def test_a_word_on_what_went_wrong_comes_into_view(visit: Visit, folder: Path) -> None:
    visit.page.get_by_role("tab", name="Upload").click()
    visit.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    visit.page.set_input_files("#upload input[type=file]", folder / "silent.wav")
    visit.page.wait_for_function(
        "document.querySelector('#problem .notice')?.getBoundingClientRect().top >= 0"
    )
    assert "silence" in visit.problem()


def test_a_recording_is_made_with_the_keyboard_alone(visit: Visit) -> None:
    visit.page.press("#microphone .record-button", "Enter")
    visit.page.wait_for_selector("#microphone .stop-button:focus")
    visit.page.wait_for_timeout(1500)
    visit.page.keyboard.press("Enter")
    assert len(visit.pictures()) == 6
    # Big enough to be hit with a finger.
    sides = visit.page.locator("#microphone .component-wrapper button, [aria-label=Clear]")
    smallest = "buttons => Math.min(...buttons.flatMap(b => [b.offsetWidth, b.offsetHeight]))"
    assert sides.evaluate_all(smallest) >= 24


def test_of_a_refused_microphone_the_page_tells(browser: "Browser", servers: Servers) -> None:
    opened = Visit(browser, servers.plain, PHONE, REFUSING)
    opened.page.wait_for_selector("#microphone select", state="attached")
    assert "No microphone" not in opened.page.inner_text("#microphone")
    assert opened.page.locator("#refused").is_hidden()
    opened.page.click("#microphone .record-button")
    assert "Allow it" in opened.page.inner_text("#refused [role=alert]")
    assert [problem for problem in opened.problems if "Permission denied" not in problem] == []
    opened.page.context.close()


def test_letters_of_a_visitors_size_fit(browser: "Browser", servers: Servers) -> None:
    opened = Visit(browser, servers.plain, PHONE, LARGE_LETTERS)
    assert opened.outgrown("#say button:visible, #see button:visible") == []
    assert (
        opened.page.locator("#again").evaluate("it => parseFloat(getComputedStyle(it).fontSize)")
        > 24
    )
    assert opened.page.get_by_role("tab", name="Type").is_visible()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    opened.page.context.close()


def test_over_plain_http_from_elsewhere_the_page_says_why_it_hears_nobody(
    browser: "Browser", servers: Servers
) -> None:
    opened = Visit(browser, servers.plain.replace("127.0.0.1", ELSEWHERE), PHONE)
    opened.page.wait_for_selector("#no-microphone .notice", state="visible")
    assert "HTTPS" in opened.page.inner_text("#no-microphone")
    opened.page.wait_for_selector("#upload", state="visible")
    assert not opened.page.get_by_role("tab", name="Speak").is_visible()
    opened.page.context.close()


def test_the_documentation_shows_what_the_command_says(servers: Servers) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    shown = re.findall(r"```console\n\$ (s2igan serve(?: --lan)?)\n(.*?)```", text, re.DOTALL)
    assert [command for command, _ in shown] == ["s2igan serve", "s2igan serve --lan"]
    told = [without_numbers(line) for line in servers.told]
    lines = [line for _, said in shown for line in said.splitlines() if "device" not in line]
    assert [without_numbers(line) for line in lines] == told


def without_numbers(line: str) -> str:
    return re.sub(r"[\d.]+", "0", FINGERPRINT.sub("fingerprint", line))
