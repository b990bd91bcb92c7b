"""Corpora in the files that people have: one file with both sides."""

import gzip
import json
import tracemalloc

import polib
import pyarrow
import pytest
from pyarrow import parquet

from nmt.config.data import Corpus
from nmt.config.file import ConfigError, dump_config, parse_config
from nmt.corpus.quick_check import quick_check
from nmt.runs.corpora import changed_corpora, record_corpora
from nmt.text.files import count_pairs, read_pairs, read_side
from nmt.text.pair_files import summarize

PAIRS = [("one", "eins"), ("two, or more", 'zwei "oder" mehr'), ("three", "drei")]


def corpus(path, content=None, **settings):
    """A corpus in one file, English to German."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Corpus(file=str(path), **{"source_language": "en", "target_language": "de", **settings})


def write_csv(path):
    rows = ['"' + '","'.join(side.replace('"', '""') for side in pair) + '"' for pair in PAIRS]
    path.write_text("\r\n".join(rows) + "\r\n")


def write_po(path):
    catalogue = polib.POFile()
    catalogue.extend(polib.POEntry(msgid=source, msgstr=target) for source, target in PAIRS)
    catalogue.save(str(path))


def write_parquet(path):
    parquet.write_table(pyarrow.table(dict(zip(("en", "de"), zip(*PAIRS, strict=True), strict=True))), path)


def tmx(*units):
    body = "".join(
        f"<tu>{''.join(f'<tuv xml:lang={chr(34)}{code}{chr(34)}><seg>{text}</seg></tuv>' for code, text in unit)}</tu>"
        for unit in units
    )
    return f'<?xml version="1.0"?><!DOCTYPE tmx SYSTEM "tmx14.dtd"><tmx version="1.4"><body>{body}</body></tmx>'


def xliff(*units, target="de"):
    body = "".join(f'<trans-unit id="{number}">{unit}</trans-unit>' for number, unit in enumerate(units))
    return (
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">'
        f'<file source-language="en" target-language="{target}"><body>{body}</body></file></xliff>'
    )


def xliff_2(*segments):
    body = "".join(f'<unit id="{number}">{segment}</unit>' for number, segment in enumerate(segments))
    return (
        '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de">'
        f'<file id="f">{body}</file></xliff>'
    )


WRITERS = {
    "memory.tmx": lambda path: path.write_text(tmx(*([("en", source), ("de", target)] for source, target in PAIRS))),
    "job.xlf": lambda path: path.write_text(xliff(*(f"<source>{s}</source><target>{t}</target>" for s, t in PAIRS))),
    "job.xliff": lambda path: path.write_text(
        xliff_2(*(f"<segment><source>{s}</source><target>{t}</target></segment>" for s, t in PAIRS))
    ),
    "de.po": write_po,
    "pairs.tsv": lambda path: path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS)),
    "pairs.csv": write_csv,
    "pairs.jsonl": lambda path: path.write_text(
        "".join(json.dumps({"translation": {"en": source, "de": target}}) + "\n" for source, target in PAIRS)
    ),
    "pairs.parquet": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_pairs_that_are_in_it(name, tmp_path):
    WRITERS[name](tmp_path / name)
    pair = corpus(tmp_path / name)
    assert list(read_pairs(pair)) == PAIRS
    assert count_pairs(pair) == len(PAIRS)
    assert list(read_side(pair, "target")) == [target for _, target in PAIRS]


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "pairs.parquet"])
def test_a_compressed_file_is_the_same_corpus(name, tmp_path):
    WRITERS[name](tmp_path / name)
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    assert list(read_pairs(corpus(packed))) == PAIRS


def test_a_memory_gives_the_variants_that_are_asked_for(tmp_path):
    units = [
        [("en-US", "color"), ("EN_GB", "colour"), ("de-AT", "Farbe"), ("de", "die Farbe"), ("fr", "couleur")],
        [("en-US", "only American"), ("de", "nur amerikanisch")],
    ]
    (tmp_path / "a.tmx").write_text(tmx(*units))
    assert list(read_pairs(corpus(tmp_path / "a.tmx", source_language="en-GB"))) == [("colour", "die Farbe")]
    british = corpus(tmp_path / "a.tmx", source_language="en-GB", target_language="fr")
    assert list(read_pairs(british)) == [("colour", "couleur")]
    assert summarize(british).left_out == {"without en-GB text": 1}


def test_a_unit_with_several_translations_gives_a_pair_for_each(tmp_path):
    units = [[("en", "potato"), ("de-DE", "Kartoffel"), ("de-AT", "Erdapfel"), ("de-CH", "Kartoffel")]]
    pair = corpus(tmp_path / "a.tmx", tmx(*units))
    assert list(read_pairs(pair)) == [("potato", "Kartoffel"), ("potato", "Erdapfel")]
    assert summarize(pair).remarks == {"a further translation": 1}


def test_inline_tags_leave_their_text_and_the_codes_that_a_translation_can_keep(tmp_path):
    source = 'a <bpt i="1">{\\b </bpt>bold<ept i="1">}</ept> <hi>word</hi> <ph>%s</ph><ph x="2"/> <ph>&lt;br/&gt;</ph>'
    pair = corpus(tmp_path / "a.tmx", tmx([("en", source), ("de", source)]))
    assert list(read_pairs(pair)) == [("a bold word %s <br/>",) * 2]
    assert summarize(pair).remarks == {"inline tags removed": 1}
    side = '<g id="1">Hello</g> <x id="INTERPOLATION" equiv-text="{{ name }}"/>'
    pair = corpus(tmp_path / "a.xlf", xliff(f"<source>{side}</source><target>{side}</target>"))
    assert list(read_pairs(pair)) == [("Hello {{ name }}",) * 2]


def test_what_is_not_translated_is_left_out_and_counted_by_reason(tmp_path):
    units = (
        "<source>a</source><target>b</target>",
        "<source>a</source>",
        "<source>a</source><target/>",
        '<source>a</source><target state="needs-translation">b</target>',
        '<source>a</source><target state="translated">c</target><alt-trans><target>no</target></alt-trans>',
    )
    pair = corpus(tmp_path / "a.xlf", xliff(*units))
    assert list(read_pairs(pair)) == [("a", "b"), ("a", "c")]
    assert summarize(pair).left_out == {"without a translation": 2, "state needs-translation": 1}
    other = corpus(tmp_path / "b.xlf", xliff(units[0], target="fr"))
    assert summarize(other) == (0, {"in another language": 1}, {})


PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: de_AT\\n"

msgctxt "menu"
msgid "Open\\n"
"file"
msgstr "Datei\\nöffnen"

#, fuzzy
msgid "old"
msgstr "alt"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

msgid "new"
msgstr ""

#~ msgid "gone"
#~ msgstr "weg"
"""


def test_a_po_file_gives_finished_messages_and_both_numbers_of_a_plural(tmp_path):
    pair = corpus(tmp_path / "de.po", PO)
    assert list(read_pairs(pair)) == [
        ("Open file", "Datei öffnen"),
        ("%d file", "%d Datei"),
        ("%d files", "%d Dateien"),
    ]
    assert summarize(pair).left_out == {"fuzzy": 1, "without a translation": 1, "obsolete": 1}
    assert summarize(corpus(tmp_path / "de.po", target_language="fr")).pairs == 0


def test_columns_are_found_by_language_by_name_and_by_number(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("id\tde\ten\n1\teins\tone\n")
    assert list(read_pairs(corpus(path))) == [("one", "eins")]
    assert list(read_pairs(corpus(path, source_column="id", target_column="de"))) == [("1", "eins")]
    numbered = corpus(path, source_column="3", target_column="2")
    assert list(read_pairs(numbered)) == [("en", "de"), ("one", "eins")]


def test_a_memory_in_utf_16_is_read(tmp_path):
    content = tmx([("en", "small"), ("de", "größer")]).replace("?>", ' encoding="UTF-16"?>').encode("utf-16")
    assert list(read_pairs(corpus(tmp_path / "a.tmx", content))) == [("small", "größer")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tmx", tmx([("en", "a"), ("de", "b")])[:-20], r"a\.tmx:1: not well-formed XML"),
        ("a.tsv", "a\tb\nc\n", r"a\.tsv:2: column 2 is needed, and this row has 1"),
        ("a.csv", 'a,b\n"c', r"a\.csv:2: not CSV"),
        ("a.jsonl", '{"en": "a", "de": "b"}\n{', r"a\.jsonl:2: not JSON"),
        ("a.jsonl", '{"en": "a", "de": 1}', r"a\.jsonl:1: de: text was expected, int came"),
        ("a.jsonl", '{"en": "a", "fr": "b"}', r"a\.jsonl:1: no column called like the language, nor 'target'"),
        ("a.parquet", "no table", r"a\.parquet cannot be read as Parquet"),
        ("a.po", b'msgid "a"\nmsgstr "\xff"\n', r"a\.po:2: not UTF-8"),
        ("a.po", 'msgid "a"\nbogus\n', r"a\.po is no PO file: .*line 2"),
        ("a.docx", "text", r"a\.docx: a file of both sides is one of \.tmx, "),
    ],
)
def test_an_error_names_the_file_and_the_place(name, content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        count_pairs(corpus(tmp_path / name, content))


def test_a_memory_is_never_in_memory(tmp_path):
    path = tmp_path / "a.tmx"
    path.write_text(tmx(*([("en", f"number {n}"), ("de", f"Nummer {n}")] for n in range(3_000))))
    tracemalloc.start()
    assert sum(1 for _ in read_pairs(corpus(path))) == 3_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # its elements take four times as much


JOB = """
run: {folder}/run
source_language: "en"
target_language: "de"
data:
  train: [{{file: {folder}/a.tmx, weight: 2}}]
  validation: {{file: {folder}/a.tsv}}
  test: {{fr: {{file: {folder}/a.tmx, target_language: fr}}}}
"""


@pytest.fixture
def job(tmp_path):
    (tmp_path / "a.tmx").write_text(tmx([("en", "a"), ("de", "b"), ("fr", "c")], [("en", "d")]))
    (tmp_path / "a.tsv").write_text("e\tf\n")
    return parse_config(JOB.format(folder=tmp_path))


def test_files_of_a_config_are_in_the_languages_of_the_job_unless_they_say_otherwise(job):
    assert list(read_pairs(job.data.train[0])) == [("a", "b")]
    assert list(read_pairs(job.data.test["fr"])) == [("a", "c")]
    assert parse_config(dump_config(job)) == job


def test_a_check_says_what_a_file_leaves_out(job):
    report = quick_check(job)
    assert not report.errors
    assert any("1 pairs; left out: 1 without de text" in str(note) for note in report.notes)


def test_a_run_knows_when_a_file_has_changed(job, tmp_path):
    (tmp_path / "run").mkdir()
    record_corpora(tmp_path / "run", job)
    assert changed_corpora(tmp_path / "run", job) == []
    (tmp_path / "a.tmx").write_text(tmx([("en", "other"), ("de", "b")]))
    (message,) = changed_corpora(tmp_path / "run", job)
    assert message.startswith("data.train[0].file: ")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("{file: a.tmx, source: a.en}", "file holds both sides"),
        ("{source: a.en}", "target is missing"),
        ("{source: a.en, target: a.de, source_column: en}", "source_column belongs to file"),
    ],
)
def test_a_corpus_is_two_files_or_one(pair, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(
            f'run: r\nsource_language: "en"\ntarget_language: "de"\ndata: {{train: [{pair}], validation: {pair}}}'
        )
