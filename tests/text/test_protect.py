"""Spans become symbols and come back, in Python and in the graph alike, whatever bytes a line holds."""

import random
import subprocess
import sys

import pytest

from nmt.text.invisible import visible
from nmt.text.protection import KINDS, Protection
from nmt.text.tokenizer import FIRST_SYMBOL, JOINER, SYMBOLS, UNK, train_tokenizers

N = len(SYMBOLS)
EVERYTHING = Protection(list(KINDS))
SPANS = {
    "urls": [
        "https://example.org",
        "http://x.org:8080/a/b-c_d?e=f&g=1,2#h",
        "https://de.wikipedia.org/wiki/Köln_(Stadt)",
        "FTP://files.example.org/~me/",
        "www.example.org",
        "https://x.org/{id}/y",
    ],
    "emails": ["foo@bar.org", "first.last+tag@mail.example.co.uk", "jürgen@müller.de"],
    "tags": [
        "<b>",
        "</b>",
        "<br/>",
        "<a href=\"https://x.org/?a>b\" id='1'>",
        "<x:y-z>",
        "<1>",
        "<a href='x' target=_blank>",
        '<input type="checkbox" checked>',
        '<a v-else href="x">',
        "<video controls>",
        "<!-- note: a > b -->",
        "&nbsp;",
        "&#x2014;",
    ],
    "placeholders": [
        *("{{{raw}}}", "{price, number, currency}", "{d, date}"),
        *("{name}", "{}", "{0:.2f}", "${user.name}", "{{ user.name|upper }}", "%s", "%d", "%1$s", "%(count)d", "%5.2f"),
        *(
            "%ld",
            "%@",
            "%Y",
            "%%",
            "%{name}",
            "{items[0]}",
            "{{ größe }}",
            "{{{raw}}}",
            "{price, number, currency}",
            "{d, date}",
            r"\n",
            r"\t",
            r"\"",
            r"\u00e9",
            r"\\",
        ),
    ],
    "emoji": ["😀", "😀🐶", "☕", "👩🏽\u200d🚒", "🇩🇪", "❤\ufe0f", "1\ufe0f\u20e3"],
    "numbers": ["7", "3.5", "1,234.50", "1'000", "10:30", "12/05/2020", "2.21.0"],
}
NO_SPANS = [
    *("a plain line", "", "a < b and c > d", "me @ home", "AT&T; R&D", "http://", "a@b", "per % ige", "{ two words }"),
    *("<your name here>", "<!-- >", "<!-- <b -->", "{a, number of}", r"\x", r"\u"),
    "٣ 五 ²",
]
# What patterns are made of, what breaks them, and what is reserved.
ATOMS = [
    *(
        "http://",
        "https://",
        "www.",
        "x.org",
        "/a_(b)",
        "(",
        ")",
        "foo@bar.org",
        "@",
        ".",
        ",",
        "<b>",
        "</b>",
        "<",
        ">",
    ),
    *('<a href="x y">', '"', "'", "{name}", "{", "}", "{{", "}}", "%s", "%d", "%%", "%1$s", "%", "5", "3.5", "1,234"),
    *(
        "’",
        "٠",
        "²",
        "é",
        "ſ",
        "\u212a",
        "Ж",
        "中文",
        "한",
        "&amp;",
        "&",
        "s",
        "word",
        "_",
        "-",
        "$",
        "\\0",
        "\\1",
        "😀",
    ),
    *("\x00", " ", "  ", "\t", "\n", "\r", "\u2028", "\ufffd", "\ufdd9", "\ufddf", SYMBOLS[0], SYMBOLS[7], JOINER),
]
NO_UTF8 = [b"\xff", b"\xfe", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xef\xb7"]


def nasty_lines(count: int) -> list[bytes]:
    choose = random.Random(1)

    def atom() -> bytes:
        return choose.choice(NO_UTF8) if choose.random() < 0.08 else choose.choice(ATOMS).encode()

    return [b"", *(b"".join(atom() for _ in range(choose.randint(1, 14))) for _ in range(count))]


# --- what is a span --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "span"), [(kind, span) for kind, spans in SPANS.items() for span in spans])
def test_a_span_is_found_whole_wherever_it_stands_and_by_its_own_kind(kind, span):
    for line in (f"see {span} here", f"({span}), too", span, f"the end: {span}.", f"中文{span}。"):
        assert Protection([kind]).hide(line)[1] == [span]
        assert EVERYTHING.hide(line)[1] == [span]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_job_does_not_name_is_text(kind):
    others = Protection([other for other in KINDS if other != kind])
    for span in SPANS[kind]:
        assert span not in others.hide(f"see {span} here")[1]


@pytest.mark.parametrize("line", NO_SPANS)
def test_plain_text_has_no_spans(line):
    assert EVERYTHING.hide(line) == (line, [])


def test_digits_that_a_percent_sign_follows_end_before_it():
    assert EVERYTHING.hide("100%ige 5%-10% %ige")[1] == ["100", "5", "10"]


def test_a_line_takes_time_in_proportion_to_its_length_at_most():
    """Patterns that go back and forth would take hours for these."""
    for part in ("x", "<", "a@", "http://(", "www.a.", "{", "%", "<a b='c' ", "1.2,", "(a", "<a b='", "{{a", "x@a."):
        EVERYTHING.hide(part * 20_000)


# --- there and back --------------------------------------------------------------------------------------------------


def test_hidden_and_revealed_a_line_is_what_it_was_where_all_of_it_is_visible():
    for line in nasty_lines(2_000):
        text = visible(line.decode("utf-8", "surrogateescape"))
        hidden, spans = EVERYTHING.hide(text)
        assert EVERYTHING.reveal(hidden, spans, hidden) == text.replace("\ufddf", " ")
        as_bytes, same = EVERYTHING.hide(text.encode("utf-8", "surrogateescape"))
        assert (as_bytes, same) == (hidden.encode("utf-8", "surrogateescape"), spans)


def test_symbols_follow_each_other_and_begin_anew_after_the_last():
    hidden, spans = EVERYTHING.hide(" ".join(map(str, range(2 * N + 3))))
    assert hidden.split() == [SYMBOLS[number % N] for number in range(2 * N + 3)]
    assert spans == list(map(str, range(2 * N + 3)))


def test_in_any_order_every_span_comes_out_once_and_those_of_a_symbol_in_theirs():
    spans = [f"{{{number}}}" for number in range(2 * N + 3)]
    hidden = EVERYTHING.hide(" ".join(spans))[0].split()
    random.Random(1).shuffle(hidden)
    revealed = EVERYTHING.reveal(" ".join(hidden), spans, " ".join(hidden)).split()
    assert sorted(revealed) == sorted(spans)
    for symbol in range(N):
        assert [span for span in revealed if span in spans[symbol::N]] == spans[symbol::N]


def test_reserved_characters_of_a_text_are_spans_and_so_are_never_taken_for_symbols():
    line = f"a {SYMBOLS[3]} b{JOINER}c 5"
    hidden, spans = EVERYTHING.hide(line)
    assert spans == [SYMBOLS[3], JOINER, "5"]
    assert EVERYTHING.reveal(hidden, spans, hidden) == line
    for parts in EVERYTHING.hide_common(line, f"{SYMBOLS[2]} 6"):
        assert not any(reserved in part for part in parts[::2] for reserved in (*SYMBOLS, JOINER))
    assert SYMBOLS[5] not in EVERYTHING.hide_known(f"{SYMBOLS[5]} 5", spans)


def test_with_nothing_to_protect_lines_stay_as_they_are_but_for_what_is_invisible():
    nothing = Protection()
    for line in nasty_lines(200):
        text = line.decode("utf-8", "replace")
        assert nothing.hide(text) == (visible(text), [])
        assert nothing.hide_known(line, []) == line
        assert nothing.reveal(text, [], text) == text
        assert nothing.hide_common(text, text) == ([visible(text)], [text])
        assert nothing.join([text]) == text


# --- translations and training pairs ---------------------------------------------------------------------------------


def test_a_translation_with_the_sources_spans_gets_their_symbols_again():
    source = "{a} sees 5 of <b>7</b>, 5 {b} 1 2 3"
    hidden, spans = EVERYTHING.hide(source)
    order = [1, 0, 2, 3, 4, 5, 7, 6, 8, 9]  # 8 and 9 have the symbols of 0 and 1, and come after them
    translation = " x ".join(SYMBOLS[number % N] for number in order)
    assert EVERYTHING.hide_known(EVERYTHING.reveal(translation, spans, hidden), spans) == EVERYTHING.join([translation])
    assert EVERYTHING.hide_known(source, spans) == hidden


def test_a_span_once_too_often_too_early_or_of_no_source_is_text_in_a_translation():
    _, spans = EVERYTHING.hide("0 1 2 3 4 5 6 7 8")
    assert EVERYTHING.hide_known("0 0 9", spans) == f"{SYMBOLS[0]} 0 9"
    assert EVERYTHING.hide_known("8 0 8", spans) == f"8 {SYMBOLS[0]} {SYMBOLS[0]}"


def test_training_sees_symbols_where_both_sides_have_the_span_and_text_elsewhere():
    source, target = EVERYTHING.hide_common("2 men, 5 {x} 5 1,000 5", "{x}: zwei Männer 5 1.000 5", first=6)
    assert "".join(source) == f"2 men, {SYMBOLS[6]} {SYMBOLS[7]} {SYMBOLS[0]} 1,000 5"
    assert "".join(target) == f"{SYMBOLS[7]}: zwei Männer {SYMBOLS[6]} 1.000 {SYMBOLS[0]}"


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("still asleep. 😆", "noch.{0}", "noch. 😆"),  # behind the same character
        ("Hello 😆 you", "Hallo{0}du", "Hallo 😆 du"),
        ("see <b>this</b> dog", "siehe {0} diesen{1}Hund", "siehe <b>diesen</b> Hund"),
        ("{a}  {b} end", "{0}{1} Ende", "{a}  {b} Ende"),  # between spans
        ("from {a} km", "ab {0} km", "ab {a} km"),
        ("{a} end", "das {0}", "das {a}"),  # at another kind of place the translation's own stays
        ("open {a} now", "{0}を開く", "{a}を開く"),
        ("open {a} now", "{0}을 열기", "{a}을 열기"),
        ("Hello {a}!", "Bonjour {0} !", "Bonjour {a} !"),
        ("at 5pm", "um {0} Uhr", "um 5 Uhr"),  # a number has none of its own
    ],
)
def test_a_span_has_the_sources_white_space_where_its_neighbour_is_of_the_same_kind(source, translation, expected):
    import tensorflow as tf

    hidden, spans = EVERYTHING.hide(source)
    translation = translation.format(*SYMBOLS)
    assert EVERYTHING.reveal(translation, spans, hidden) == expected
    graph = EVERYTHING.reveal_in_graph(tf.constant([translation]), tf.ragged.constant([spans]), tf.constant([hidden]))
    assert graph.numpy()[0].decode() == expected


def test_nothing_but_spans_and_white_space_is_nothing_to_translate():
    for line, is_so in (("😆", True), (" <br> 5 {a} ", True), ("5 %", False), (" ", False), ("", False)):
        assert EVERYTHING.only_spans(EVERYTHING.hide(line)[0]) is is_so


# --- tokenizers ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """By type; trained on text with each letter, but none of the spans."""
    from tiny_job import tiny_job

    folder = tmp_path_factory.mktemp("text")
    lines = ["see this dog (the big one), or that cat!", "jacks quiz: vexing fowl;", "Häuser, ganz große."] * 30
    for name in ("train", "valid"):
        for side in ("en", "xx"):
            (folder / f"{name}.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        kind: train_tokenizers(tiny_job(folder, f"tokenizer.type={kind}", "tokenizer.vocabulary_size=120"))
        for kind in ("unigram", "bpe")
    }


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("sampled", [False, True])
def test_tokenized_and_decoded_spans_have_their_spaces_again(tokenizers, kind, sampled):
    tokenizer = tokenizers[kind].source
    for line in (
        "(see <b>this</b>)",
        "see <b>this</b> dog, or {a}{b} cat: https://x.org!",
        "{a}",
        "5 dogs, 6cats, the 7th; v8",
        "<i><b>Häuser</b></i>",
        "see (this),{a},that",
    ):
        hidden, spans = EVERYTHING.hide(line)
        (ids,) = tokenizer.sample([hidden], alpha=0.5, seed=1) if sampled else tokenizer.encode([hidden])
        assert UNK not in ids
        assert sum(FIRST_SYMBOL <= id_ < FIRST_SYMBOL + N for id_ in ids) == len(spans)
        assert EVERYTHING.reveal(tokenizer.decode([ids])[0], spans, hidden) == line


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_word_in_tags_has_the_pieces_that_it_has_outside(tokenizers, kind):
    tokenizer = tokenizers[kind].source
    bare, tagged = (tokenizer.encode([EVERYTHING.hide(f"see {word} dog")[0]])[0] for word in ("this", "<b>this</b>"))
    word = tokenizer.encode(["this"])[0]
    for ids in (bare, tagged):
        assert word in [ids[start : start + len(word)] for start in range(len(ids))]


def test_a_run_from_before_there_were_symbols_protects_nothing(tokenizers, tmp_path):
    from tiny_job import tiny_job, write_corpus

    write_corpus(tmp_path)
    config = tiny_job(tmp_path)
    old = train_tokenizers(config.model_copy(update={"protect": []}))
    assert config.protect
    assert Protection.of(config, old).kinds == ()
    assert Protection.of(config, train_tokenizers(config)).kinds == tuple(KINDS)
    assert Protection.of(config.model_copy(update={"protect": []}), tokenizers["bpe"]).kinds == ()


# --- the graph -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kinds",
    [list(KINDS), ["urls", "emails", "tags", "placeholders"], ["numbers"], []],
    ids=["all", "with signs", "numbers", "none"],
)
def test_the_graph_hides_and_reveals_what_python_does_for_any_bytes(kinds):
    import tensorflow as tf

    protection, lines = Protection(kinds), nasty_lines(5_000)
    text, spans = tf.function(protection.hide_in_graph, autograph=False)(tf.constant(lines))
    expected = [protection.hide(line) for line in lines]
    assert text.numpy().tolist() == [hidden for hidden, _ in expected]
    assert [[span.decode() for span in row] for row in spans.to_list()] == [found for _, found in expected]

    choose = random.Random(1)
    translations = [list(hidden.decode("utf-8", "replace")) for hidden, _ in expected]
    for characters in translations:
        choose.shuffle(characters)
    translations = list(map("".join, translations))
    revealed = tf.function(protection.reveal_in_graph, autograph=False)(tf.constant(translations), spans, text)
    assert [line.decode("utf-8", "replace") for line in revealed.numpy()] == [
        protection.reveal(line, found, hidden.decode("utf-8", "surrogateescape"))
        for line, (hidden, found) in zip(translations, expected, strict=True)
    ]
    only_spans = tf.function(protection.only_spans_in_graph, autograph=False)(text).numpy()
    assert only_spans.tolist() == [
        protection.only_spans(hidden.decode("utf-8", "surrogateescape")) for hidden, _ in expected
    ]


def test_pieces_are_revealed_in_the_graph_as_in_python():
    import tensorflow as tf

    pieces = [[], [SYMBOLS[1], "▁a", SYMBOLS[0], SYMBOLS[1]], [], [SYMBOLS[0], "b"], ["c"]]
    spans = [["z"], list("abcdefghij"), [], ["k"], []]
    found = EVERYTHING.reveal_parts_in_graph(tf.ragged.constant(pieces), tf.ragged.constant(spans, dtype=tf.string))
    for row, revealed in enumerate(found.to_list()):
        assert [piece.decode() for piece in revealed] == EVERYTHING.reveal_parts(pieces[row], spans[row])
    none = tf.ragged.constant([[]], dtype=tf.string)
    assert EVERYTHING.reveal_parts_in_graph(tf.ragged.constant(pieces[4:]), none).to_list() == [[b"c"]]


def test_an_empty_batch_has_no_text_and_no_spans():
    import tensorflow as tf

    text, spans = tf.function(EVERYTHING.hide_in_graph, autograph=False)(tf.constant([], tf.string))
    assert text.shape == (0,)
    assert spans.nrows() == 0
    assert EVERYTHING.reveal_in_graph(text, spans, text).shape == (0,)


def test_importing_it_imports_no_tensorflow():
    code = "import sys, nmt.text.protection, nmt.text.augmentation; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
