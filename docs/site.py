"""Hooks of the documentation site: README.md is its front page, and links leave the folder.

Pages are written to be read in the repository, where a link to `../plots/samples_grid.png` or to a
line of code works. In the site such a picture is copied, and a link to any other file of the
repository goes to ``repo_url`` where one is configured, else it becomes its own text. A picture in
HTML, which MkDocs leaves as it is, is found from the page's address there.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^)\s]+)\)")
_PICTURE = re.compile(r'(<img src=")([^":]+)(?=")')
_SHOWN = (".png", ".gif", ".svg")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the front page and the pictures outside the folder."""
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=readme))
    for picture in sorted((_ROOT / "plots").glob("*.png")):
        files.append(File.generated(config, f"plots/{picture.name}", content=picture.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Point the links of a page to where the site has what they name."""
    source = "README.md" if page.file.src_uri == "index.md" else f"docs/{page.file.src_uri}"

    def point(link: re.Match[str]) -> str:
        shown, text, target = link.groups()
        if re.match(r"[a-z]+:|#|/", target):
            return link[0]
        path, _, anchor = target.partition("#")
        named = normpath(PurePosixPath(source).parent / path)
        suffix = f"#{anchor}" if anchor else ""
        place = "index.md" if named == "README.md" else named.removeprefix("docs/")
        if place != named or (named.startswith("plots/") and named.endswith(_SHOWN)):
            return f"{shown}[{text}]({'../' * page.file.src_uri.count('/')}{place}{suffix})"
        return f"[{text}]({config.repo_url}/blob/main/{named}{suffix})" if config.repo_url else text

    def find(picture: re.Match[str]) -> str:
        named = normpath(PurePosixPath(source).parent / picture[2]).removeprefix("docs/")
        return picture[1] + get_relative_url(named, page.file.url)

    return _PICTURE.sub(find, _LINK.sub(point, markdown))
