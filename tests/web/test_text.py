"""What the page does to text, in a browser: the same as Python, on lines made to be hard."""

import io
import json
import random

import numpy as np
import pytest
import sentencepiece
from tiny_job import tiny_job

from nmt.corpus.habits import Habits
from nmt.runs.run import Run
from nmt.text.protection import KINDS
from nmt.text.target_text import EXTRA_SPACE
from nmt.text.tokenizer import FIRST_SYMBOL, JOINER, SYMBOLS, UNK, Tokenizer, train_tokenizers
from nmt.translation.engine import SearchResult
from nmt.translation.translator import Translator
from nmt.web.rules import decoding_rules, encoding_rules, rules
from nmt.web.write import copy_page

VISIBLE = r"""
http:// www.x.org /a_(b) ( ) foo@bar.org @ <b> </b> < {name} { }} %s %d %% %1$s % &amp; & \n \ $1 $& " ' ’ 5 3.5 1,234
٠ ² é ſ ﬁ ½ Ⅷ １２ … ｶﾞ Ж 中文 。 」と 한국 ไทย ▁ 😀 ☕ 🇩🇪 STOP NASA ΣΟΦΟΣ İZMİR I ÄRGER Straße word x ... ? !
"""
PARTS = [
    *VISIBLE.split(),
    *('<a href="x y">', "<b title='A. B'>", "e\u0301", "\u212a", "\u00ad", "\u200b", "\u200d", "\ufeff", "\u00a0"),
    *("\u202f", "\u3000", "\u2028", "\x00", "\t", "\x0b", "\r", "\ufdd9", "\ufddf", "\ufffd", "\U0010ffff"),
    *("می\u200cشود", "👩🏽\u200d🚒", "1\ufe0f\u20e3", *SYMBOLS[:2], JOINER, EXTRA_SPACE, "THE EXAM", "ΚΑΛΗΜΕΡΑ ΣΑΣ"),
    *("Dr. ", "z. B. ", "Nr. 5 ", "U.S. ", "A. ", "One. ", "Two! ", "three? ", ". ", "! ", "a dog", " ", " ", "  "),
]  # fmt: skip


def hard_lines(count: int) -> list[str]:
    choose = random.Random(1)
    return ["", " ", *("".join(choose.choices(PARTS, k=choose.randint(1, 14))) for _ in range(count))]


@pytest.fixture(scope="module")
def page(tab, serving, tmp_path_factory):
    """A document beside the page's modules."""
    folder = tmp_path_factory.mktemp("page")
    copy_page(folder)
    with serving(folder) as address:
        tab.goto(f"{address}/icon.svg")
        yield tab


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return hard_lines(1_000)


@pytest.fixture(scope="module", params=["bpe", "unigram", "unigram, bytes", "bpe, bytes, lower case"])
def tokenizer(request, lines) -> Tokenizer:
    kind, _, others = request.param.partition(", ")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for line in lines[::2]),
        model_writer=model,
        model_type=kind,
        vocab_size=700,
        hard_vocab_limit=False,
        character_coverage=0.98,
        byte_fallback="bytes" in others,
        normalization_rule_name="nmt_nfkc_cf" if "lower" in others else "nmt_nfkc",
        user_defined_symbols=[*SYMBOLS, JOINER, "dog", "5"],
        minloglevel=3,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
    )
    return Tokenizer(model.getvalue())


def test_text_has_the_same_pieces_as_in_python(page, tokenizer, lines):
    found = page.evaluate(
        """async ([rules, lines]) => {
          const { Tokenizer } = await import("/tokenizer.js");
          const tokenizer = new Tokenizer(rules);
          return lines.map((line) => tokenizer.encode(line));
        }""",
        [encoding_rules(tokenizer), lines],
    )
    assert found == tokenizer.encode(lines)


def test_ids_are_the_same_text_as_in_python(page, tokenizer):
    random_ids = np.random.default_rng(1).integers(tokenizer.vocabulary_size, size=(500, 9)).tolist()
    found = page.evaluate(
        """async ([rules, rows]) => {
          const { Detokenizer } = await import("/detokenizer.js");
          const detokenizer = new Detokenizer(rules);
          return rows.map((ids) => detokenizer.decode(ids));
        }""",
        [decoding_rules(tokenizer), random_ids],
    )
    assert found == tokenizer.decode(random_ids)


class Copying:
    """Translates each row into itself, but for unknown pieces, which no search writes."""

    def search(self, source, options, *, prefix, num_symbols, with_weights):
        rows = [row[(row != UNK) & (row != 0)] for row in source]
        tokens = np.zeros((len(rows), 1, source.shape[1]), np.int32)
        for row, kept in enumerate(rows):
            tokens[row, 0, : len(kept)] = kept
        lengths = (tokens != 0).sum(axis=2)
        return SearchResult(tokens, np.zeros((len(rows), 1), np.float32), lengths, None, None, None)


# The same as a model of the page's search.
COPYING = """{
  encode: async (source) => ({ state: [0], memory: source.filter((id) => id !== UNKNOWN) }),
  step: async ({ tokens, state, memory, most }) => {
    const wanted = tokens.map((_, row) => memory[state[row]]);
    const first = wanted.map((id) => Float32Array.from({ length: FIRST }, (_, other) => (other === id ? 0 : -99)));
    const best = wanted.map((id) => Float32Array.of(id < FIRST ? -99 : 0));
    return { first, best, tokens: wanted.map((id) => [Math.max(id, FIRST)]), state: state.map((time) => time + 1) };
  },
  reorder: (state, rows) => rows.map((row) => state[row]),
}""".replace("UNKNOWN", str(UNK)).replace("FIRST", str(FIRST_SYMBOL + len(SYMBOLS)))


@pytest.fixture(scope="module", params=["everything protected", "nothing protected, whole lines"])
def run(request, tmp_path_factory, lines) -> Run:
    """One that has no weights."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("train.en", "train.xx", "valid.en", "valid.xx"):
        text = "\n".join(" ".join(line.split()) or "x" for line in lines)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    all_ = request.param == "everything protected"
    config = tiny_job(
        folder,
        f"protect={json.dumps(list(KINDS) if all_ else [])}",
        "tokenizer={joint: true, vocabulary_size: 900, hard_vocabulary_limit: false, type: bpe}",
        "search={guard: false, max_source_length: 20, beam_size: 1}",
        "data.case_augmentation=0.1",
    )
    run = Run.create(config, train_tokenizers(config))
    run.save_habits(Habits(several_sentences=0.0 if all_ else 1.0, in_capitals=0.0))
    return run


def test_a_line_is_cut_protected_and_put_together_as_in_python(page, run, lines):
    search, protection = run.config.search, run.translation_protection()
    translator = Translator(
        Copying(),
        run.tokenizers,
        search,
        protection=protection,
        sentences=run.sentence_splitter(search, protection),
        capitals=run.capitals(),
    )
    expected = [translation.text for translation in translator.translate(lines)]
    found = page.evaluate(
        """async ([rules, lines]) => {
          const { Translator } = await import("/translator.js");
          const translator = new Translator(MODEL, rules);
          const found = [];
          for (const line of lines) found.push((await translator.translate(line)).text);
          return found;
        }""".replace("MODEL", COPYING),
        [rules(run), lines],
    )
    assert found == expected
    assert sum(line != text for line, text in zip(lines, found, strict=True)) > 100
