"""The corpus script of Debian's package descriptions, run as a user runs it, on lists of our own."""

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "data_scripts" / "debian.py"


def entry(package, language, text, *, of=None):
    """A package of a Translation list; of: the English text that this one translates."""
    digest = hashlib.md5((of or text).encode()).hexdigest()
    return f"Package: {package}\nDescription-md5: {digest}\nDescription-{language}: {text}\n\n"


PLAYER = (
    "player of music\n It plays songs. It stops\n them, too.\n .\n Formats:\n  * Ogg\n  * FLAC, e.g. of\n    concerts\n"
)
SPIELER = (
    "Abspielprogramm\n Es spielt Lieder ab. Es hält sie\n auch an.\n .\n Formate:\n"
    "  - Ogg\n  - FLAC, z. B. von\n    Konzerten\n"
)
EDITOR = "editor of text\n It edits. It saves.\n"
EDITOR_DE = "Editor\n Er bearbeitet und speichert.\n"
GAME = "game\n One.\n .\n Two.\n"
SPIEL = "Spiel\n Eins und zwei.\n"


@pytest.fixture
def lists(tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    english = [
        ("player", PLAYER),
        ("player-doc", PLAYER),
        ("editor", EDITOR),
        ("game", GAME),
        ("untranslated", "x\n y\n"),
    ]
    german = [
        ("player", SPIELER, PLAYER),
        ("editor", EDITOR_DE, EDITOR),
        ("game", SPIEL, GAME),
        ("old", "Alt\n", "gone"),
    ]
    (folder / "host_dists_stable_main_i18n_Translation-en").write_text(
        "".join(entry(package, "en", text) for package, text in english), encoding="utf-8"
    )
    (folder / "host_dists_stable_main_i18n_Translation-de.gz").write_bytes(
        gzip.compress("".join(entry(package, "de", text, of=source) for package, text, source in german).encode())
    )
    return folder


def run(*arguments, **environment):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_titles_sentences_and_items_are_paired_and_what_is_not_built_alike_is_left_out(lists, tmp_path):
    answer = run(tmp_path / "out", "--lists", lists)
    assert answer.returncode == 0, answer.stderr
    sides = [(tmp_path / "out" / f"debian.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")]
    assert list(zip(*sides, strict=True)) == [
        ("player of music", "Abspielprogramm"),
        ("It plays songs.", "Es spielt Lieder ab."),
        ("It stops them, too.", "Es hält sie auch an."),
        ("Formats:", "Formate:"),
        ("Ogg", "Ogg"),
        ("FLAC, e.g. of concerts", "FLAC, z. B. von Konzerten"),
        ("editor of text", "Editor"),
        ("It edits. It saves.", "Er bearbeitet und speichert."),  # two sentences and one: the paragraph as it is
        ("game", "Spiel"),  # two paragraphs and one: only the title
    ]


def test_the_licence_and_what_to_cite_are_said(lists, tmp_path):
    answer = run(tmp_path / "out", "--lists", lists)
    assert "Licence: " in answer.stdout
    assert "To cite: Debian Description Translation Project" in answer.stdout


def test_a_language_without_a_list_is_named(lists, tmp_path):
    answer = run(tmp_path / "out", "--lists", lists, "--target", "tlh")
    assert answer.returncode == 2
    assert f"{lists} has no Translation-tlh" in answer.stderr
    assert not (tmp_path / "out").exists()


def test_lists_that_have_nothing_in_common_give_no_corpus(lists, tmp_path):
    (lists / "host_dists_stable_main_i18n_Translation-de.gz").write_bytes(
        gzip.compress(entry("a", "de", "b\n").encode())
    )
    answer = run(tmp_path / "out", "--lists", lists)
    assert answer.returncode == 2
    assert "no description has a translation from en to de" in answer.stderr


def test_a_packed_list_that_is_damaged_is_named(lists, tmp_path):
    path = lists / "host_dists_stable_main_i18n_Translation-de.lz4"
    path.write_bytes(b"no LZ4")
    answer = run(tmp_path / "out", "--lists", lists)
    assert answer.returncode == 2
    assert f"{path} cannot be unpacked" in answer.stderr


def test_without_apt_the_lists_of_another_machine_are_asked_for(tmp_path):
    answer = run(tmp_path / "out", "--target", "tlh", PATH=str(tmp_path))
    assert answer.returncode == 2
    assert "there is no apt-get here" in answer.stderr
