"""The documentation site: it builds without a warning, needs no network, and each of its links leads somewhere."""

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
REFERENCE = sorted((REPOSITORY / "docs" / "api").glob("*.md"))


class Page(HTMLParser):
    """The links of a page, what it loads, and its anchors."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.anchors |= {known[name] for name in ("id", "name") if known.get(name)}
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        elif tag == "link" and known["rel"] in ("stylesheet", "icon", "preconnect"):
            self.loaded.append(known["href"])
        elif known.get("src"):
            self.loaded.append(known["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    command += ["--config-file", REPOSITORY / "docs" / "site" / "mkdocs.yml", "--site-dir", folder]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert not answer.returncode, answer.stderr
    return {path: Page(path) for path in folder.rglob("*.html") if path.name != "404.html"}


def test_nothing_is_loaded_from_the_network(site):
    assert not [url for page in site.values() for url in page.loaded if urlsplit(url).netloc]
    styles = next(iter(site)).parent.rglob("*.css")
    assert not [path for path in styles if re.search(r"@import|url\(.?(https?:)?//", path.read_text(encoding="utf-8"))]


def test_each_link_and_each_file_that_a_page_loads_exists(site):
    broken = []
    for path, page in site.items():
        for url in page.links + page.loaded:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = site[target].anchors if target in site else {""}
            if not target.exists() or unquote(parts.fragment) not in anchors:
                broken.append(f"{path.name}: {url}")
    assert not broken


@pytest.mark.parametrize("page", REFERENCE, ids=lambda page: page.stem)
def test_the_reference_shows_every_name_that_its_package_exports(site, page):
    (package,) = re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stub = REPOSITORY / package.replace(".", "/") / "__init__.pyi"
    if stub.exists():
        tree = ast.parse(stub.read_text(encoding="utf-8"))
        exported = [alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    else:
        tree = ast.parse(stub.with_suffix(".py").read_text(encoding="utf-8"))
        (exported,) = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ] or [[]]
    (anchors,) = (found.anchors for path, found in site.items() if path.parts[-2:] == ("api", f"{page.stem}.html"))
    assert not [name for name in exported if f"{package}.{name}" not in anchors]
