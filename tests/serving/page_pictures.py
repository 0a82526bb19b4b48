"""Takes the pictures of ``docs/page.md`` from the page itself.

``python -m tests.serving.page_pictures http://127.0.0.1:7860``, while ``s2igan serve`` runs.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SENTENCE = "A small bird with a red crown, a yellow belly and brown wings."
DESKTOP, PHONE = (1180, 900), (390, 844)
PATIENCE_MS = 60_000


def take(browser: Browser, address: str, size: tuple[int, int], scheme: str, path: Path) -> None:
    """Type a sentence, change a colour of it, and take a picture of the page.

    Args:
        browser: what opens the page.
        address: of the page.
        size: of the window, px; a phone's shows what is in it, a wider one all of the page.
        scheme: ``light`` or ``dark``.
        path: the JPEG file to write.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if size == PHONE else 1,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("tab", name="Type").click()
    page.fill("#sentence textarea", SENTENCE)
    page.get_by_role("button", name="Speak it").click()
    page.wait_for_selector(".pictures a")
    page.get_by_label("blue", exact=True).check()
    page.wait_for_selector(".swap img")
    page.wait_for_timeout(1000)
    if size == PHONE:
        page.evaluate("document.querySelector('#see').scrollIntoView()")
    page.screenshot(path=path, type="jpeg", quality=88, full_page=size != PHONE)
    context.close()


def main(address: str) -> None:
    """Take both pictures."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        take(browser, address, DESKTOP, "light", IMAGES / "page.jpg")
        take(browser, address, PHONE, "dark", IMAGES / "page-phone.jpg")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
