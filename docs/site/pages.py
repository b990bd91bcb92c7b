"""Adds to the site the pages that stand outside docs/, and makes links between files of the repository work in it."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]
OUTSIDE = {
    "README.md": "index.md",
    "serving/README.md": "deployment.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.txt",
}
IN_REPOSITORY = {page: path for path, page in OUTSIDE.items()}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(REPOSITORY / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path = IN_REPOSITORY.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def of_site(link: re.Match) -> str:
        """A link between two files of the repository, as one between their pages."""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link[1]))
        target = OUTSIDE.get(target) or target.removeprefix("docs/")
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(of_site, markdown)
