"""Files of other formats: only the translated text changes."""

import difflib
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import polib
import pytest

from nmt.documents.file import Settings
from nmt.documents.formats import translate_document
from nmt.translation.translation import Hypothesis, Translation

LANGUAGES = Settings(source_language="en", target_language="de")
FINISHED = LANGUAGES._replace(finished=True)
CATALOGUES = sorted(Path("/usr/share/locale").glob("de/LC_MESSAGES/*.mo"))


def translator(change, confidence=0.5):
    """Translates lines by a function of their text."""
    return lambda lines: [Translation((Hypothesis(change(line), 0.0),), confidence=confidence) for line in lines]


def in_capitals(line):
    """Tags and placeholders stay, as a model with protection keeps them."""
    kept = r"(</?[A-Za-z][^<>]*>|%\(?\w*\)?[a-z]|%[1-9]|\{[^{}]*\})"
    return "".join(part if place % 2 else part.upper() for place, part in enumerate(re.split(kept, line)))


def translated(path, change=in_capitals, settings=LANGUAGES, confidence=0.5):
    return translate_document(path, translator(change, confidence), settings).content.decode()


def write(path, text):
    path.write_bytes(text.encode())
    return path


PO = """\
# Translators' names.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Language: de\\n"

#: a.c:1
#, c-format
msgctxt "menu"
msgid "Open %s now"
msgstr ""

msgid "done"
msgstr "fertig"

#, fuzzy
msgid "old one"
msgstr "alt"

#, c-format
msgid "%d file"
msgid_plural "%d \\"files\\"\\n"
msgstr[0] ""
msgstr[1] ""

#~ msgid "gone"
#~ msgstr "weg"
"""

XLIFF = """\
<?xml version="1.0" encoding="utf-8"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
  <file source-language="en" original='a > b'>
    <body><!-- <source>no</source> -->
      <trans-unit id="1">
        <source>Press <g id="1">the <x id="2"/> key</g> &amp; wait</source>
      </trans-unit>
      <trans-unit id="2"><source>done</source><target state="final">fertig</target></trans-unit>
      <trans-unit id="3" translate="no"><source>Not this</source></trans-unit>
      <trans-unit id="4"><source>again</source><target state='needs-translation'/></trans-unit>
    </body>
  </file>
</xliff>
"""

XLIFF_2 = """\
<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="de">
 <file id="f"><unit id="u">
  <segment>
    <source>Good <pc id="1">morning</pc></source>
  </segment>
  <segment state="translated"><source>done</source><target>fertig</target></segment>
 </unit></file>
</xliff>
"""

TMX = """\
<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="plaintext"/><body>
  <tu>
    <tuv xml:lang="en-US"><seg>A <bpt i="1">&lt;b&gt;</bpt>red<ept i="1">&lt;/b&gt;</ept> house</seg></tuv>
  </tu>
  <tu><tuv xml:lang="en"><seg>done</seg></tuv><tuv xml:lang="de-AT"><seg>fertig</seg></tuv></tu>
</body></tmx>
"""

TS = """\
<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de"><context><name>Window</name>
    <message numerus="yes">
        <source>%n file(s)</source>
        <translation type="unfinished">
            <numerusform></numerusform>
            <numerusform></numerusform>
        </translation>
    </message>
    <message><source>Save &quot;%1&quot;</source><translation type="unfinished"></translation></message>
    <message><source>done</source><translation>fertig</translation></message>
</context></TS>
"""

ANDROID = """\
<?xml version="1.0" encoding="utf-8"?>
<resources xmlns:xliff="urn:oasis:names:tc:xliff:document:1.2">
    <string name="a">It\\'s <b>new</b>, <xliff:g id="n">Jo</xliff:g>!\\nReally</string>
    <string name="b" translatable="false">kept</string>
    <plurals name="c"><item quantity="one">%d file</item><item quantity="other">%d files</item></plurals>
    <string name="d"><![CDATA[<a href="x">here</a>]]></string>
</resources>
"""

PROPERTIES = """\
# a comment
title = Good \\
    morning
greeting: Hello {0}, it''s late\\nBye
empty=
path=C:\\\\temp
"""

JSON = """\
{
  "menu": {"open": "Open {{name}}", "count": 3, "list": ["one", "two \\"x\\""]},
  "@meta": {"description": "no"}, "plural": "{n, plural, one {a} other {b}}"
}
"""

SRT = """\
1
00:00:01,000 --> 00:00:02,000
I have <i>never</i>
seen this.

2
00:00:03,000 --> 00:00:04,000
- Yes?
- No!
"""

VTT = """\
WEBVTT

NOTE not this

intro
00:01.000 --> 00:02.000 align:start
<v Anna>Hello there
"""

MARKDOWN = """\
---
title: kept
---
# Head *line*

> quoted text
> goes **on**

- item `code` and [a link](http://x.org "t")
  more of it

| one | two |
|-----|-----|
| c d | `e` |

```py
code = 1
```
"""

HTML = "<!doctype html>\n<p class='a'>Good <b>morning</b> &amp; bye</p>\n"

TEXTS = {
    "a.po": PO,
    "a.xlf": XLIFF,
    "b.xliff": XLIFF_2,
    "a.tmx": TMX,
    "a.ts": TS,
    "strings.xml": ANDROID,
    "a.properties": PROPERTIES,
    "a.json": JSON,
    "a.srt": SRT,
    "a.vtt": VTT,
    "a.md": MARKDOWN,
    "a.html": HTML,
}
IN_PLACE = [name for name in TEXTS if name not in ("a.po", "a.xlf", "b.xliff", "a.tmx", "a.ts")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", IN_PLACE)
def test_a_translation_that_changes_nothing_leaves_every_byte(name, line_end, tmp_path):
    text = TEXTS[name].replace("\n", line_end)
    assert translated(write(tmp_path / name, text), str) == text


@pytest.mark.parametrize("name", sorted(set(TEXTS) - set(IN_PLACE)))
def test_all_but_what_was_missing_stays_byte_for_byte(name, tmp_path):
    found = translated(write(tmp_path / name, TEXTS[name]))
    difference = difflib.ndiff(TEXTS[name].splitlines(), found.splitlines())
    lost = [line.removeprefix("- ") for line in difference if line.startswith("- ")]
    changed = r"msgstr|#, c-format|<target state=.needs-tr|<file source|<segment>|translation type|numerusform"
    assert all(re.search(changed, line) for line in lost)
    done = translate_document(write(tmp_path / f"2{name}", found), translator(in_capitals), LANGUAGES)
    assert (done.content.decode(), done.translated) == (found, 0)


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "a.json"])
def test_words_are_translated(name, tmp_path):
    found = translated(write(tmp_path / name, TEXTS[name]))
    wanted = {
        "a.po": 'msgstr "OPEN %s NOW"',
        "a.xlf": 'PRESS <g id="1">THE <x id="2"/> KEY</g> &amp; WAIT</target>',
        "b.xliff": '<target>GOOD <pc id="1">MORNING</pc></target>',
        "a.tmx": '<seg>A <bpt i="1">&lt;b&gt;</bpt>RED<ept i="1">&lt;/b&gt;</ept> HOUSE</seg>',
        "a.ts": "<numerusform>%n FILE(S)</numerusform>",
        "strings.xml": 'IT\\\'S <b>NEW</b>, <xliff:g id="n">Jo</xliff:g>!\\nREALLY</string>',
        "a.properties": "greeting: HELLO {0}, IT''S LATE\\nBYE\n",
        "a.srt": "I HAVE <i>NEVER</i>\nSEEN THIS.\n",
        "a.vtt": "<v Anna>HELLO THERE\n",
        "a.md": '- ITEM `code` AND [A LINK](http://x.org "t") MORE OF IT\n',
        "a.html": "<p class='a'>GOOD <b>MORNING</b> &amp; BYE</p>",
    }[name]
    assert wanted in found


def test_json_keeps_keys_numbers_metadata_and_messages_that_choose(tmp_path):
    found = translated(write(tmp_path / "a.json", JSON))
    assert found == JSON.replace("Open {{", "OPEN {{").replace('"one"', '"ONE"').replace('two \\"x', 'TWO \\"X')
    chrome = '{"title": {"message": "Hi", "description": "no"}}'
    assert translated(write(tmp_path / "b.json", chrome)) == chrome.replace("Hi", "HI")


def test_a_message_gets_a_flag_a_confidence_and_all_plural_forms(tmp_path):
    path = write(tmp_path / "a.po", PO)
    catalogue = polib.pofile(translated(path))
    opened, plural = catalogue.find("Open %s now", msgctxt="menu"), catalogue.find("%d file")
    assert (opened.flags, opened.tcomment) == (["fuzzy", "c-format"], "machine translation, confidence 0.50")
    assert plural.msgstr_plural == {0: "%d FILE", 1: '%d "FILES"\n'}
    assert catalogue.find("old one").msgstr == "alt"
    finished = polib.pofile(translated(path, settings=FINISHED._replace(retranslate="unfinished"), confidence=None))
    assert not any(entry.fuzzy for entry in finished)
    assert finished.find("old one").msgstr == "OLD ONE"
    assert finished.find("done").msgstr == "fertig"
    every = polib.pofile(translated(path, settings=FINISHED._replace(retranslate="all")))
    assert every.find("done").msgstr == "DONE"


def test_states_and_confidence_are_where_xliff_has_them(tmp_path):
    first = translated(write(tmp_path / "a.xlf", XLIFF))
    assert '<target state-qualifier="mt-suggestion" state="needs-review-translation">PRESS' in first
    assert '<note from="nmt">confidence 0.50</note>' in first
    assert 'target-language="de"' in first
    second = translated(write(tmp_path / "b.xliff", XLIFF_2), settings=FINISHED)
    assert '<segment subState="nmt:confidence-0.50" state="final">' in second
    for text in (first, second):
        ElementTree.fromstring(text.encode())


def test_a_placeholder_that_a_model_loses_is_kept(tmp_path):
    """The text around it is translated piece by piece."""
    path = write(tmp_path / "a.po", PO)
    lost = polib.pofile(translated(path, lambda line: line.upper().replace("%S", "").replace("%D", "")))
    assert lost.find("Open %s now", msgctxt="menu").msgstr == "OPEN %s NOW"


def test_an_encoding_is_kept(tmp_path):
    for encoding in ("utf-16", "utf-8-sig"):
        path = tmp_path / "a.xliff"
        path.write_bytes(XLIFF_2.encode(encoding))
        done = translate_document(path, translator(in_capitals), LANGUAGES).content
        assert "<target>GOOD" in done.decode(encoding)
    latin = tmp_path / "a.properties"
    latin.write_bytes("a=größer {0}\n".encode("latin-1"))
    assert translate_document(latin, translator(str), LANGUAGES).content == latin.read_bytes()
    ascii_only = write(tmp_path / "b.properties", "a=small\n")
    assert translated(ascii_only, lambda line: "größer 🙂") == "a=gr\\u00f6\\u00dfer \\ud83d\\ude42\n"


WORD_TEXT = "word/document.xml"
WORD = (
    '<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Good mor</w:t></w:r><w:proofErr w:type="x"/><w:r w:rsidR="1">'
    '<w:t>ning, </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>red</w:t></w:r><w:r><w:tab/><w:t xml:space="preserve"> house'
    "</w:t></w:r></w:p><w:p/></w:body></w:document>"
)
OPEN = (
    '<office xmlns:text="t" xmlns:dc="d"><text:p text:style-name="P">Good <text:span>morning</text:span><text:s/>'
    "</text:p><text:h>Head<dc:creator>Jo</dc:creator></text:h></office>"
)


@pytest.mark.parametrize(
    ("name", "member", "text", "wanted"),
    [
        (
            "a.docx",
            "word/document.xml",
            WORD,
            ["<w:t>GOOD MORNING, </w:t>", "<w:b/></w:rPr><w:t>RED</w:t>", "> HOUSE</w:t>"],
        ),
        ("a.odt", "content.xml", OPEN, [">GOOD <text:span>MORNING</text:span><text:s/>", "HEAD<dc:creator>Jo<"]),
    ],
)
def test_paragraphs_of_office_documents_keep_their_formatting(name, member, text, wanted, tmp_path):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("mimetype", "x")
        archive.writestr(member, text)
        archive.writestr("image.png", b"\x89PNG")
    same = translate_document(tmp_path / name, translator(str), LANGUAGES)
    assert same.content == (tmp_path / name).read_bytes()
    (tmp_path / f"2{name}").write_bytes(translate_document(tmp_path / name, translator(in_capitals), LANGUAGES).content)
    with zipfile.ZipFile(tmp_path / f"2{name}") as archive:
        assert archive.namelist() == ["mimetype", member, "image.png"]
        found = archive.read(member).decode().replace(' xml:space="preserve"', "")
        assert archive.read("image.png") == b"\x89PNG"
    assert all(part in found for part in wanted)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.po", 'msgid "a"\nnonsense\n', r"a\.po: line 2: neither a comment nor a message"),
        ("a.ts", '<?xml version="1.0"?>\n<TS>\n\n<a></TS>', r"a\.ts: line 4: not well-formed XML"),
        ("a.json", '{\n"a" 1}', r"a\.json: line 2: not JSON"),
        ("a.docx", "text", r"a\.docx: no DOCX or ODT document"),
        ("a.tmx", TMX, r"a\.tmx: TMX has texts by language: say"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named_with_the_line(name, text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        translate_document(write(tmp_path / name, text), translator(str), Settings())


@pytest.mark.skipif(not (CATALOGUES and shutil.which("msgunfmt")), reason="no catalogues of installed programs here")
@pytest.mark.parametrize("catalogue", CATALOGUES[::16], ids=lambda path: path.stem)
def test_a_real_catalogue_is_translated_so_that_msgfmt_takes_it(catalogue, tmp_path):
    text = subprocess.run(["msgunfmt", catalogue], capture_output=True, text=True, check=True).stdout
    path = write(tmp_path / "a.po", text)
    assert translated(path) == text
    found = translated(path, in_capitals, FINISHED._replace(retranslate="all"))
    checked = write(tmp_path / "b.po", found)
    done = subprocess.run(["msgfmt", "--check", "-o", tmp_path / "b.mo", checked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = polib.pofile(str(path)), polib.pofile(str(checked))
    assert [(entry.msgid, entry.msgctxt, entry.msgid_plural) for entry in before] == [
        (entry.msgid, entry.msgctxt, entry.msgid_plural) for entry in after
    ]
