"""The documentation builds as a site, and its links lead somewhere there and in the repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_of_the_repository(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    inside = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    lost = [target for target in inside if not (page.parent / target.split("#")[0]).exists()]
    assert not lost


def test_the_site_builds_with_every_page_in_its_menu(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "not included in the" not in done.stderr
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="method/"' in front
    assert 'href="site.css"' in front
    assert (tmp_path / "plots" / "samples_grid.png").is_file()
    assert not list(tmp_path.rglob("*.py*"))
    shown = {page: page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")}
    assert [page for page, html in shown.items() if re.search(r"<p>[^<]*\n\* ", html)] == []
    for page, html in shown.items():
        if page.name != "404.html":  # its addresses start at the site's root
            pictures = re.findall(r'<img [^>]*src="([^":]+)"', html)
            assert [name for name in pictures if not (page.parent / name).is_file()] == []


def test_words_of_the_sites_accent_can_be_read_on_white_and_white_ones_on_it() -> None:
    style = (ROOT / "docs" / "site.css").read_text(encoding="utf-8")
    (accent,) = re.findall("--md-primary-fg-color: #([0-9a-f]{6})", style)
    values = [int(accent[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (((value + 0.055) / 1.055) ** 2.4 for value in values)
    assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5
