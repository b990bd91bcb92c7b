"""A line in, its translation out: in order, whatever else is in the batch, however long, whatever bytes it holds."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from nmt.config.settings import Config
from nmt.model.losses import token_log_probabilities
from nmt.model.seq2seq import build_model
from nmt.search.translate_ids import translate_ids
from nmt.text.capitals import Capitals
from nmt.text.protection import Protection
from nmt.text.sentences import SentenceSplitter, joined
from nmt.text.splitter import Splitter
from nmt.text.tokenizer import BOS, EOS, JOINER, PAD, SYMBOLS, train_tokenizers
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator

LINES = [
    "twenty-one. four?",
    "",
    "seven。",
    "   \t ",
    "ninety-nine? eighty. ten?",
    "thirty-three",
    "twenty-one. four?",
    "fourteen. sixty-two? five. one? eleven。 eighteen. seventy-six。",
]
LONG = " ".join(["fourteen.", "sixty-two?", "five", "one", "eleven", "eighteen。", "seventy-six.", "twenty"] * 5)


@pytest.fixture(scope="module")
def model(number_run):
    return number_run.load_model()


@pytest.fixture(scope="module")
def other_model(number_run):
    """One that knows less."""
    vocabulary = number_run.tokenizers.source.vocabulary_size
    config = number_run.config.model_copy(update={"seed": 7})
    return build_model(config, source_vocabulary=vocabulary, target_vocabulary=vocabulary)


@pytest.fixture(scope="module")
def translator(number_run, model):
    """Makes translators that share their traced searches: tracing one takes longer than all it is asked for, and
    guarding it as long again."""
    engine = functools.cache(lambda *models: ModelEngine(models or [model]))

    def make(*models, alignments=False, sentences=None, capitals=None, **settings):
        return Translator(
            engine(*models),
            number_run.tokenizers,
            number_run.config.search.model_copy(update={"guard": False, **settings}),
            protection=number_run.protection,
            alignments=alignments,
            sentences=sentences,
            capitals=capitals,
        )

    return make


def padded(rows):
    return tf.ragged.constant(rows, dtype=tf.int32).to_tensor(PAD)


def assert_equal_translations(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.text == other.text
        for mine, its in zip(one.n_best, other.n_best, strict=True):
            assert mine.pieces == its.pieces
            assert mine.score == pytest.approx(its.score, abs=1e-4)


# --- sentences and capitals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"n_best": 3}, {"max_source_length": 5}], ids=str)
def test_a_line_of_several_sentences_is_the_translations_of_each_and_its_own_white_space(translator, settings):
    lines = [
        "twenty-one. four?",
        " ninety-nine?  ten.\t",
        "one.\r\n\nfour? https://a.b/c.d <b>five. ten</b>",
        "",
        " \n",
    ]
    splitter = SentenceSplitter("en", Protection(["urls", "tags"]))
    translate = translator(sentences=splitter, alignments=True, **settings).translate
    whole = translate(lines)
    for line, found in zip(lines, whole, strict=True):
        texts, spaces = splitter.split(line)
        parts = translate(texts)
        for k, hypothesis in enumerate(found.n_best):
            expected = joined([part.n_best[k if part.source_pieces else 0].text for part in parts], spaces)
            assert hypothesis.text == (expected if line.strip() else "")
            of_parts = [part.n_best[k] for part in parts if part.source_pieces]
            assert hypothesis.score == pytest.approx(sum(part.score for part in of_parts), abs=1e-4)
            assert hypothesis.alignment.shape == (len(hypothesis.pieces), len(found.source_pieces))
    in_bytes = translate([line.encode() for line in lines])
    assert [each.text for each in in_bytes] == [each.text for each in whole]


def test_a_prefix_belongs_to_a_lines_first_sentence_that_has_pieces(translator):
    translate = translator(sentences=SentenceSplitter("en")).translate
    (found,) = translate([" \nfour?\tTEN."], ["eins"])
    assert found.text.startswith(" \neins")
    (free,) = translate(["TEN."])
    assert found.text.endswith(f"\t{free.text}")


def test_a_prefix_comes_back_as_it_was_given_with_characters_that_no_piece_has(translator):
    for prefix in ("eins ☃ ", "  ☃☃", "«zwei» ", "eins"):
        (found,) = translator().translate(["TEN four."], [prefix])
        assert found.text.startswith(prefix)
        assert "⁇" not in found.text


def test_a_sentence_of_nothing_but_spans_comes_back_as_it_is(number_run, translator):
    translate = translator(sentences=SentenceSplitter("en", number_run.protection)).translate
    (alone,) = translate(["four."])
    lines = ["😆", "four. 😆", "<br>\t{a}\n\nfour.  {b}", "https://a.b/c {a}"]
    expected = ["😆", f"{alone.text} 😆", f"<br>\t{{a}}\n\n{alone.text}  {{b}}", lines[3]]
    assert [found.text for found in translate(lines)] == expected
    (whole,) = translator().translate(lines[:1])
    assert (whole.text, whole.score) == ("😆", 0.0)


def test_a_sentence_in_capitals_is_its_twin_in_normal_case_in_capitals(translator):
    translator = translator(sentences=SentenceSplitter("en"), capitals=Capitals("en", "de"))
    first, *others = (
        each.text for each in translator.translate(["Twenty-one seven https://a.b/c.d.", "four?", "NASA ESA."])
    )
    expected = first.replace("https://a.b/c.d", "URL").upper().replace("URL", "https://a.b/c.d")
    (found,) = translator.translate(["TWENTY-ONE SEVEN https://a.b/c.d.\nfour?\nNASA ESA."])
    assert found.text == "\n".join([expected, *others])


# --- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ensemble", [False, True], ids=["one model", "ensemble"])
def test_a_hypothesis_scores_its_teacher_forced_log_probability(number_run, model, other_model, ensemble):
    models = [model, other_model] if ensemble else [model]
    options = number_run.config.search.model_copy(update={"length_penalty": 0.0, "n_best": 3, "beam_size": 4})
    source = padded([[*ids, EOS] for ids in number_run.tokenizers.source.encode(LINES[:5]) if ids])

    found = translate_ids(models, source, options)

    for place in range(options.n_best):
        tokens = found.tokens[:, place]
        target_in = tf.concat([tf.fill([len(tokens), 1], BOS), tokens[:, :-1]], axis=1)
        each = [token_log_probabilities(model(source, target_in), tokens) for model in models]
        expected = np.log(np.mean(np.exp(np.float64(each)), axis=0)).sum(axis=-1)
        np.testing.assert_allclose(found.scores[:, place], expected, atol=1e-4)
        np.testing.assert_allclose(found.log_probabilities[:, place], expected, atol=1e-4)


@pytest.mark.parametrize("ensemble", [False, True], ids=["one model", "ensemble"])
def test_scoring_the_systems_own_translation_gives_the_searchs_score(
    number_run, model, other_model, translator, ensemble
):
    models = [model, other_model] if ensemble else [model]
    own = translator(*models, length_penalty=0.0)
    lines = [line for line in LINES if line.strip()]

    translations = own.translate(lines)
    scores = own.score(lines, [translation.text for translation in translations])

    compared = 0
    for translation, score in zip(translations, scores, strict=True):
        (ids,) = number_run.tokenizers.target.encode([translation.text])
        if tuple(number_run.tokenizers.target.pieces(ids)) == translation.n_best[0].pieces:  # written as it is read
            assert len(score) == len(ids) + 1
            assert score.sum() == pytest.approx(translation.score, abs=1e-4)
            compared += 1
    assert compared >= 2


def test_scores_of_a_batch_equal_those_of_each_pair_alone(translator):
    sources, targets = ["seven", "", "twenty-one. four?"], ["sieben", "ein", ""]
    together = translator().score(sources, targets)
    for source, target, expected in zip(sources, targets, together, strict=True):
        (alone,) = translator().score([source], [target])
        np.testing.assert_allclose(alone, expected, atol=1e-5)
        assert np.all(expected < 0)


# --- lines -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"beam_size": 1}, {"n_best": 3, "guard": True}], ids=str)
def test_a_batch_equals_its_lines_one_by_one_and_keeps_their_order(translator, settings):
    own = translator(**settings)
    together = own.translate(LINES)
    assert_equal_translations(together, [own.translate([line])[0] for line in LINES])
    assert together[0].text == together[6].text
    assert len({translation.text for translation in together}) >= 5


def test_a_line_without_pieces_becomes_the_empty_translation_and_no_lines_none(translator):
    for translation in translator().translate(["", "  \t ", b"", "\u3000"]):
        assert (translation.text, translation.score, translation.source_pieces) == ("", 0.0, ())
    assert translator().translate([]) == []


def test_bytes_equal_the_text_they_encode_and_bytes_that_are_no_text_are_translated_too(translator):
    text, as_bytes, invalid, nul, emoji = translator().translate(
        [
            "seven。",
            "seven。".encode(),
            b"\xff\xfe seven \xe2\x82",
            "seven\x00four",
            "\N{GRINNING FACE} \N{ZERO WIDTH JOINER}seven",
        ]
    )
    assert text == as_bytes
    for translation in (invalid, nul, emoji):
        assert translation.source_pieces
        assert "\n" not in translation.text


def test_n_best_are_different_and_the_best_comes_first(translator):
    for translation in translator(n_best=4).translate(["seven", "twenty-one. four?"]):
        scores = [hypothesis.score for hypothesis in translation.n_best]
        assert scores == sorted(scores, reverse=True)
        assert len({hypothesis.pieces for hypothesis in translation.n_best}) == 4
        assert translation.text == translation.n_best[0].text


# --- ensembles, prefixes, sampling -----------------------------------------------------------------------------------


def test_an_ensemble_of_a_model_with_itself_is_that_model(model, translator):
    assert_equal_translations(translator(model, model).translate(LINES), translator().translate(LINES))


def test_an_ensemble_lies_between_its_models(model, other_model, translator):
    (first,), (second,), (both,) = (
        translator(*models).score(["seven"], ["sieben"]) for models in ([model], [other_model], [model, other_model])
    )
    assert np.all(np.minimum(first, second) <= both)
    assert np.all(both <= np.maximum(first, second))
    assert np.any(np.abs(first - second) > 1e-3)


def test_a_prefix_starts_the_translation_of_its_line_and_an_empty_one_is_none(number_run, translator):
    short = translator(max_source_length=20)
    source = number_run.tokenizers.source
    first_chunk = Splitter(source, 20).split(source.encode([LONG])[0])[0]
    free = short.translate([LINES[0], LONG, *source.decode([first_chunk])])
    found = short.translate([LINES[0], LINES[0], "", LONG], prefixes=["neunzig", "", "zehn", "acht"])

    for translation, prefix in ((found[0], "neunzig"), (found[3], "acht")):
        (ids,) = number_run.tokenizers.target.encode([prefix])
        assert translation.n_best[0].pieces[: len(ids)] == tuple(number_run.tokenizers.target.pieces(ids))
        assert translation.text.startswith(prefix)
    assert found[1].text == free[0].text != found[0].text
    assert found[2].text == ""
    later_chunks = free[1].n_best[0].pieces[len(free[2].n_best[0].pieces) :]
    assert later_chunks
    assert found[3].n_best[0].pieces[-len(later_chunks) :] == later_chunks  # the first chunk's prefix is not theirs


def test_a_sample_depends_on_seed_and_line_alone(translator):
    settings = {"sampling": True, "n_best": 2, "temperature": 1.5}
    first, again, other = (translator(seed=seed, **settings) for seed in (1, 1, 2))
    together = first.translate(LINES)

    assert_equal_translations(again.translate(list(reversed(LINES))), reversed(together))
    assert_equal_translations([first.translate([line])[0] for line in LINES], together)
    assert together[0].text == together[6].text  # the same line twice
    assert [one.text for one in other.translate(LINES)] != [one.text for one in together]
    assert any(one.n_best[0].pieces != one.n_best[1].pieces for one in together if one.source_pieces)


# --- long lines ------------------------------------------------------------------------------------------------------


def best_cut(pieces, limit):
    """Where a too long line is cut: the last sentence end within the limit, else the last word end in a fair part, else
    in the limit, else behind the fair part.
    """
    in_text = ["".join(pieces[: size + 1])[len("".join(pieces[:size])) :] for size in range(len(pieces))]
    sizes = range(1, limit + 1)
    starts_word = {size for size in sizes if in_text[size].startswith("▁")}
    sentence = [
        size
        for size in sizes
        if in_text[size - 1].endswith("。") or (in_text[size - 1][-1] in ".?" and size in starts_word)
    ]
    if sentence:
        return max(sentence)
    fair = math.ceil(len(in_text) / math.ceil(len(in_text) / limit))
    return max([size for size in starts_word if size <= fair] or starts_word or [fair])


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 1000])
def test_long_lines_are_cut_at_sentence_ends_else_between_words_else_anywhere(number_run, limit):
    tokenizer = number_run.tokenizers.source
    lines = tokenizer.encode(
        [LONG, "", "seven", "x" * 50, "one two three four five six seven", "ten。six。十。" * 9, "one.two?six." * 9]
    )

    splitter = Splitter(tokenizer, limit)
    in_graph = splitter.split_in_graph(tf.ragged.constant(lines, dtype=tf.int32)).to_list()

    for ids, chunks in zip(lines, map(splitter.split, lines), strict=True):
        rest, expected = ids, []
        while len(rest) > limit:
            cut = best_cut(tokenizer.pieces(rest), limit)
            expected.append(rest[:cut])
            rest = rest[cut:]
        assert chunks == ([*expected, rest] if rest else [])
        assert in_graph.pop(0) == chunks
        assert [id_ for chunk in chunks for id_ in chunk] == ids
        assert all(0 < len(chunk) <= limit for chunk in chunks)


def test_text_without_spaces_is_cut_at_sentence_ends_else_at_clauses(tmp_path):
    sentences = ["雨が降る!", "風が吹くか?", "空は青い。"]
    (tmp_path / "text").write_text("\n".join([*sentences, "山、川、海"] * 9) + "\n", encoding="utf-8")
    pair = {"source": str(tmp_path / "text"), "target": str(tmp_path / "text")}
    data = {"train": [pair], "validation": pair}
    config = Config(run="run", source_language="ja", target_language="ja", data=data, tokenizer={"vocabulary_size": 40})
    tokenizer = train_tokenizers(config).source

    def chunks(line, limit):
        (ids,) = tokenizer.encode([line])
        return tokenizer.decode(Splitter(tokenizer, limit).split(ids))

    longest = max(len(ids) for ids in tokenizer.encode(sentences))
    assert chunks("".join(sentences), longest) == sentences
    assert all(chunk.endswith("、") for chunk in chunks("山、" * 50 + "海", 12)[:-1])


def test_the_graph_cuts_any_pieces_where_python_does(number_run):
    tokenizer, random = number_run.tokenizers.source, np.random.default_rng(3)
    lines = [random.integers(4, tokenizer.vocabulary_size, size=size).tolist() for size in (0, 1, 9, 10, 11, 50, 200)]
    for limit in (1, 2, 10, 37):
        splitter = Splitter(tokenizer, limit)
        found = splitter.split_in_graph(tf.ragged.constant(lines, dtype=tf.int32)).to_list()
        assert found == [splitter.split(ids) for ids in lines]


def test_the_translation_of_a_long_line_is_those_of_its_chunks_in_order(number_run, translator):
    own = translator(max_source_length=20)
    tokenizers = number_run.tokenizers
    chunks = Splitter(tokenizers.source, 20).split(tokenizers.source.encode([LONG])[0])
    parts = own.translate(tokenizers.source.decode(chunks))

    (whole,) = own.translate([LONG])

    assert len(parts) > 3
    assert whole.source_pieces == sum((part.source_pieces for part in parts), ())
    assert whole.n_best[0].pieces == sum((part.n_best[0].pieces for part in parts), ())
    assert whole.score == pytest.approx(sum(part.score for part in parts), abs=1e-4)


# --- alignments ------------------------------------------------------------------------------------------------------


def test_alignments_are_of_each_piece_to_each_source_piece_and_only_where_asked_for(translator):
    lines = [*LINES, LONG]
    plain = translator(max_source_length=20).translate(lines)
    aligned = translator(alignments=True, max_source_length=20).translate(lines)

    assert_equal_translations(aligned, plain)
    assert {hypothesis.alignment is None for one in plain for hypothesis in one.n_best} == {True}
    for translation in aligned:
        for hypothesis in translation.n_best:
            assert hypothesis.alignment.shape == (len(hypothesis.pieces), len(translation.source_pieces))
            assert np.all(hypothesis.alignment >= 0)
            assert np.all(hypothesis.alignment.sum(axis=1) <= 1 + 1e-5)


def test_the_alignment_of_a_long_line_keeps_each_chunk_to_itself(number_run, translator):
    own = translator(alignments=True, max_source_length=20)
    tokenizers = number_run.tokenizers
    chunks = Splitter(tokenizers.source, 20).split(tokenizers.source.encode([LONG])[0])
    parts = own.translate(tokenizers.source.decode(chunks))

    (whole,) = own.translate([LONG])

    expected = np.zeros((len(whole.n_best[0].pieces), len(whole.source_pieces)))
    row = column = 0
    for part in parts:
        block = part.n_best[0].alignment
        expected[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    np.testing.assert_allclose(whole.n_best[0].alignment, expected, atol=1e-4)


def test_an_alignment_is_the_attention_of_teacher_forcing(number_run, model, translator):
    lines = ["seven", "twenty-one. four?"]
    tokenizers = number_run.tokenizers
    for line, translation in zip(lines, translator(alignments=True).translate(lines), strict=True):
        (source,) = tokenizers.source.encode([line])
        by_piece = {
            piece: id_ for id_, piece in enumerate(tokenizers.target.pieces(range(tokenizers.target.vocabulary_size)))
        }
        target = [by_piece[piece] for piece in translation.n_best[0].pieces]
        memory, state = model.encode(tf.constant([[*source, EOS]]))
        _, _, weights = model.decoder(tf.constant([[BOS, *target]]), state, memory)
        np.testing.assert_allclose(translation.n_best[0].alignment, weights[0, :-1, :-1], atol=1e-5)


# --- protected spans -------------------------------------------------------------------------------------------------

SPANS = ("{a}", "<b>", "</b>", "https://x.org/a_(b)?c=d", "me@y.org", "3.5", "%(c)s", "42", "{d}", "{e}")
WITH_SPANS = [
    f"twenty-one {SPANS[0]}. {SPANS[1]}four{SPANS[2]}?",
    SPANS[3],
    " ".join(["seven", *SPANS]) + "。",
    " seventy-six. twenty? ".join(SPANS),
    " ".join(SPANS + SPANS),
    f"seven {SYMBOLS[3]} {JOINER}{SPANS[0]}",
    b"\xff \xe2\x82{a} 3.5",
]


@pytest.mark.parametrize(
    "settings",
    [
        {"n_best": 3, "guard": True},
        {"beam_size": 1, "max_length_ratio": 0.01, "max_length_extra": 1},
        {"no_repeat_ngram": 1, "repetition_penalty": 9.0, "max_source_length": 7},
        {"sampling": True, "n_best": 3, "temperature": 3.0, "max_source_length": 20},
    ],
    ids=str,
)
def test_every_span_comes_out_exactly_once_in_every_hypothesis(translator, settings):
    for line, translation in zip(WITH_SPANS, translator(**settings).translate(WITH_SPANS), strict=True):
        source = line if isinstance(line, str) else line.decode("utf-8", "replace")
        for hypothesis in translation.n_best:
            for span in (*SPANS, SYMBOLS[3], JOINER):
                assert hypothesis.text.count(span) == source.count(span), (hypothesis.text, span)
            assert not {*SYMBOLS, JOINER} - {*source} & {*hypothesis.text}


def test_lines_with_spans_equal_themselves_alone_and_show_the_spans_for_pieces(translator):
    own = translator(n_best=3, guard=True)
    together = own.translate(WITH_SPANS)
    assert_equal_translations(together, [own.translate([line])[0] for line in WITH_SPANS])
    for span in SPANS:
        assert together[2].source_pieces.count(span) == together[2].n_best[0].pieces.count(span) == 1


def test_scoring_a_translation_with_spans_gives_the_searchs_score(number_run, translator):
    own, target, compared = translator(length_penalty=0.0), number_run.tokenizers.target, 0
    translations = own.translate(WITH_SPANS)
    scores = own.score(WITH_SPANS, [translation.text for translation in translations])
    for line, translation, score in zip(WITH_SPANS, translations, scores, strict=True):
        spans = number_run.protection.hide(line)[1]
        (ids,) = target.encode([number_run.protection.hide_known(translation.text, spans)])
        pieces = number_run.protection.reveal_parts(target.pieces(ids), spans)
        if tuple(pieces) == translation.n_best[0].pieces:  # written as it is read
            assert score.sum() == pytest.approx(translation.score, abs=1e-4)
            compared += 1
    assert compared >= 2


def test_a_span_in_a_prefix_is_the_sources_and_comes_no_second_time(translator):
    line = "seven {a} four {b}. ten {a}?"
    (found,) = translator().translate([line], prefixes=["{b} vier"])
    assert found.text.startswith("{b} vier")
    assert (found.text.count("{a}"), found.text.count("{b}")) == (2, 1)
    long = " ".join(["{a} seventy-six."] + ["twenty."] * 9 + ["{b} four."])
    (found,) = translator(max_source_length=20).translate([long], prefixes=["{b} {a}"])  # {b} is in another chunk
    assert found.text.startswith("{b} {a}")
    assert (found.text.count("{a}"), found.text.count("{b}")) == (1, 2)  # and so it is text in the prefix


def test_without_protection_symbols_are_pieces_like_others(number_run, model):
    search = number_run.config.search.model_copy(update={"guard": False})
    plain = Translator(ModelEngine([model]), number_run.tokenizers, search)
    assert all(translation.source_pieces for translation in plain.translate(WITH_SPANS))


def test_prefixes_or_targets_that_are_not_one_for_each_line_are_refused_with_both_counts(translator):
    with pytest.raises(ValueError, match="2 lines, but 1 prefixes"):
        translator().translate(["one", "two"], ["eins"])
    with pytest.raises(ValueError, match="2 sources, but 1 targets"):
        translator().score(["one", "two"], ["eins"])
