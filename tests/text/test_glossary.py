"""Terms are found as whole words, the longest first, and come out as the glossary says, in Python and in a graph."""

import random
import re

import pytest

from nmt.text.glossary import Glossary, RequestGlossaries
from nmt.text.protection import KINDS, Protection
from nmt.text.sentences import SentenceSplitter
from nmt.text.terms import term_source, term_target
from nmt.text.tokenizer import SYMBOLS

TERMS = {
    "dog": "Hund",
    "big dog": "Bernhardiner",
    "dog house": "Hundehütte",
    "house": "Haus",
    "C++": "C plus plus",
    "Windows 11": "Fenster elf",
    "5": "fünf",
    "Acme Inc.": "Acme AG",
    "東京": "Tokyo",
    "東京都": "Präfektur Tokyo",
    "서울": "Seoul",
    "naïve": "naiv",
    "Straße": "street",
}
GLOSSARY = Glossary(TERMS)
ANY_CASE = Glossary(TERMS, ignore_case=True)


def found(line: str, glossary: Glossary = GLOSSARY) -> list[str]:
    """The terms found, as they stand in the line."""
    return [term_source(span) for span in glossary.parts(line)[1::2]]


# --- what is a term --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ("the big dog", ["big dog"]),  # longest first
        ("big dog house", ["big dog", "house"]),  # leftmost before longest
        ("dogs, hotdog, dog_1, dog2", []),  # whole words
        ("dog's dog-house (dog).", ["dog", "dog", "house", "dog"]),
        ("Dog DOG", []),  # case counts
        ("C++, C+++ but C", ["C++", "C++"]),
        ("5 of 1,5 and 5.000 or v5", ["5"]),  # whole numbers
        ("Windows 11, Windows 11.1", ["Windows 11"]),
        ("東京に東京都", ["東京", "東京都"]),  # no edges between characters of unspaced scripts
        ("서울에서", ["서울"]),
        ("big\u00a0dog, big   dog", ["big\u00a0dog", "big   dog"]),  # any white space
        ("big\ndog", ["dog"]),  # but a line's end
        ("do\u00adg d\u200bog", ["do\u00adg", "d\u200bog"]),  # as if visible
        ("naïves nai\u0308ve", []),
        ("", []),
    ],
)
def test_terms_are_whole_words_leftmost_and_longest_first(line, terms):
    assert found(line) == terms
    parts = GLOSSARY.parts(line)
    assert "".join(map(term_source, parts)) == line
    assert all(term_target(span) in TERMS.values() for span in parts[1::2])


def test_ignoring_case_every_spelling_is_the_term():
    assert found("Dog DOG dOg, BIG Dog; STRAẞE but STRASSE", ANY_CASE) == [*("Dog", "DOG", "dOg"), "BIG Dog", "STRAẞE"]


def test_of_terms_that_overlap_those_of_the_table_come_out_as_searching_each_place_finds_them():
    """Against the plainest search: at each place the longest, else one word on."""
    choose = random.Random(1)
    words = ["a", "b", "c", "d"]
    terms = {" ".join(choose.choices(words, k=choose.randint(1, 4))): str(number) for number in range(12)}
    glossary = Glossary(terms)
    for _ in range(300):
        line = choose.choices(words, k=choose.randint(0, 12))
        expected, place = [], 0
        while place < len(line):
            ends = range(len(line), place, -1)
            term = next((" ".join(line[place:end]) for end in ends if " ".join(line[place:end]) in terms), None)
            if term:
                expected.append(term)
            place += len(term.split()) if term else 1
        assert found(" ".join(line), glossary) == expected


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_has_a_term_a_tab_and_a_translation_in_each_line(tmp_path):
    file = tmp_path / "terms.tsv"
    file.write_text("# for the manual\n\nbig dog \t Bernhardiner\nC#\tC sharp\r\nC#\tC sharp\n", encoding="utf-8")
    glossary = Glossary.read(file)
    assert list(glossary) == ["big dog", "C#"]
    assert list(map(term_target, glossary.parts("C# big dog")[1::2])) == ["C sharp", "Bernhardiner"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dog", "line 3: 0 tabs"),
        ("dog\tHund\tm", "line 3: 2 tabs"),
        ("dog\t ", "line 3: 'dog' -> ''"),
        ("\tHund", "line 3: '' -> 'Hund'"),
        ("cat\tKater", "line 3: 'cat' is 'Kater' here, but 'Katze' in an earlier line"),
        ("dog\t\ufddfHund", "line 3: 'dog'"),
    ],
)
def test_a_line_that_is_no_entry_or_contradicts_another_is_named(tmp_path, line, message):
    file = tmp_path / "terms.tsv"
    file.write_text(f"cat\tKatze\n\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"terms\.tsv") as raised:
        Glossary.read(file)
    assert message in str(raised.value)


def test_terms_that_differ_in_case_only_may_differ_where_case_counts():
    terms = {"Bank": "bank", "bank": "bench"}
    assert len(Glossary(terms)) == 2
    with pytest.raises(ValueError, match="in any case"):
        Glossary(terms, ignore_case=True)


# --- beside protected spans ------------------------------------------------------------------------------------------

EVERYTHING = Protection(list(KINDS), GLOSSARY)


def test_other_spans_come_first_but_numbers_which_a_term_may_contain():
    hidden, spans = EVERYTHING.hide("dog at www.dog.org, <b>dog</b> 5 Windows 11 12")
    assert list(map(term_source, spans)) == ["dog", "www.dog.org", "<b>", "dog", "</b>", "5", "Windows 11", "12"]
    assert hidden.count(SYMBOLS[0]) == 1
    assert EVERYTHING.reveal(hidden, spans, hidden) == "Hund at www.dog.org, <b>Hund</b> fünf Fenster elf 12"


def test_a_term_that_could_never_be_found_is_an_error():
    with pytest.raises(ValueError, match=r"'see www.x.org' has 'www.x.org' in it"):
        Protection(["urls"], Glossary({"see www.x.org": "siehe dort"}))
    assert Protection(["emails"], Glossary({"see www.x.org": "siehe dort"})).glossary


def test_a_glossary_without_terms_changes_nothing():
    assert Protection(["urls"], Glossary({})).glossary is None


def test_a_translation_gets_the_symbols_of_its_sources_terms():
    _, spans = EVERYTHING.hide("a big dog 12, Windows 11, a dog")
    assert EVERYTHING.hide_known("Bernhardiner dog 12 Fenster elf Hundes Hund Hund", spans) == (
        f"{SYMBOLS[0]} dog {SYMBOLS[1]} {SYMBOLS[2]} Hundes {SYMBOLS[3]} Hund"
    )


def test_no_sentence_ends_within_a_term():
    splitter = SentenceSplitter("en", Protection((), Glossary({"Stop. Go": "Start", "dog": "Hund"})))
    assert splitter.split("We bought it in approx. dog years. Dog years.").texts == [
        *("We bought it in approx. dog years.", "Dog years.")
    ]
    assert splitter.split("We play. Stop. Go is fun. Stop. We go.").texts == [
        *("We play.", "Stop. Go is fun.", "Stop.", "We go.")
    ]


# --- the graph -------------------------------------------------------------------------------------------------------

ATOMS = [
    *TERMS,
    *(word for term in TERMS for word in term.split()),
    *map(str.upper, TERMS),
    "www.dog.org",
    "<b>",
    "{dog}",
]
ATOMS += [*(" ", "  ", "\t", "\n", "\u00a0", "-", "'", ".", ",", "に", "\u00ad", "\u200d", "\u0308", "1.5", "ß", "s")]
ATOMS += ["\ufde3", "\ufde4", "\ufde5", "\ufddf", "😀", SYMBOLS[0]]
NO_UTF8 = [b"\xff", b"\xe2\x82", b"\xed\xa0\x80"]


def lines_of_terms(count: int) -> list[bytes]:
    choose = random.Random(1)

    def atom() -> bytes:
        return choose.choice(NO_UTF8) if choose.random() < 0.05 else choose.choice(ATOMS).encode()

    return [b"", *(choose.choice((b"", b" ")).join(atom() for _ in range(choose.randint(1, 14))) for _ in range(count))]


@pytest.mark.parametrize("kinds", [tuple(KINDS), ("urls",)], ids=["all", "urls"])
@pytest.mark.parametrize("glossary", [GLOSSARY, ANY_CASE], ids=["case", "any case"])
def test_the_graph_finds_and_reveals_the_terms_that_python_does_for_any_bytes(kinds, glossary):
    import tensorflow as tf

    protection, lines = Protection(kinds, glossary), lines_of_terms(2_000)
    text, spans = tf.function(protection.hide_in_graph, autograph=False)(tf.constant(lines))
    expected = [protection.hide(line) for line in lines]
    assert text.numpy().tolist() == [hidden for hidden, _ in expected]
    assert [[span.decode() for span in row] for row in spans.to_list()] == [found for _, found in expected]
    revealed = tf.function(protection.reveal_in_graph, autograph=False)(text, spans, text)
    as_text = [(hidden.decode("utf-8", "surrogateescape"), found) for hidden, found in expected]
    assert [line.decode("utf-8", "surrogateescape") for line in revealed.numpy()] == [
        protection.reveal(hidden, found, hidden) for hidden, found in as_text
    ]
    copied, copies = tf.function(protection.copied_in_graph, autograph=False)(tf.constant(lines), text, spans)
    assert [copy.decode() if is_copied else None for is_copied, copy in zip(copied, copies.numpy(), strict=True)] == [
        protection.copied(line.decode("utf-8", "surrogateescape"), *each)
        for line, each in zip(lines, as_text, strict=True)
    ]


def test_each_line_of_a_request_has_its_own_glossary_in_the_graph():
    import tensorflow as tf

    many = "\n".join(map("\t".join, TERMS.items()))
    some = "# dog\tHund\n  # dog\tRaute\r\n\ncat\nbig dog \t\u00a0Dogge \na\tb\tc\ndog\tKöter\ndog\tzweiter\ndog\t "
    files = [many, "", some, many]
    glossaries = [GLOSSARY, Glossary({}), Glossary({"# dog": "Raute", "big dog": "Dogge", "dog": "Köter"}), GLOSSARY]
    lines = [line for line in lines_of_terms(500) if not re.search("\ufde3|\ufde4|\ufde5".encode(), line)]
    owners = [place % len(files) for place in range(len(lines))]

    def hide(text, glossary):
        protection = Protection(KINDS, RequestGlossaries(glossary, ignore_case=False))
        return protection.hide_in_graph(text)

    texts = tf.constant([files[owner] for owner in owners])
    text, spans = tf.function(hide, autograph=False)(tf.constant(lines), texts)
    protections = [Protection(KINDS, glossary) for glossary in glossaries]
    expected = [protections[owner].hide(line) for line, owner in zip(lines, owners, strict=True)]
    assert text.numpy().tolist() == [hidden for hidden, _ in expected]
    assert [[span.decode() for span in row] for row in spans.to_list()] == [found for _, found in expected]


def test_the_graph_cuts_the_sentences_that_python_does():
    import tensorflow as tf

    splitter = SentenceSplitter("en", Protection((), Glossary({"Stop. Go": "Start", "dog": "Hund"})))
    lines = ["approx. dog years. Dog years.", "We play. Stop. Go is fun. Stop. We go.", "", "Stop. Go", "Stop.\nGo."]
    texts, _ = splitter.split_in_graph(tf.constant(lines))
    assert [[text.decode() for text in row] for row in texts.to_list()] == [
        splitter.split(line).texts for line in lines
    ]


def test_an_empty_batch_has_no_terms():
    import tensorflow as tf

    text, spans = tf.function(EVERYTHING.hide_in_graph, autograph=False)(tf.constant([], tf.string))
    assert text.shape == (0,)
    assert EVERYTHING.reveal_in_graph(text, spans, text).shape == (0,)


def test_ignoring_case_the_graph_compares_all_letters_as_python_does():
    import tensorflow as tf

    from nmt.text.letters import without_case

    letters = [chr(code) for code in without_case()]
    glossary = Glossary({letter: str(ord(letter.translate(without_case()))) for letter in letters}, ignore_case=True)
    marked = tf.function(lambda texts: glossary.marked_in_graph(texts, [], "|"), autograph=False)(tf.constant(letters))
    expected = ["|".join(glossary.parts(letter)) for letter in letters]
    assert [line.decode() for line in marked.numpy()] == expected
