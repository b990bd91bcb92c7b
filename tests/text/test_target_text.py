"""What stands in the target text of the training corpus, the translator can write: character for character."""

import random
import unicodedata

import pytest
from tiny_job import tiny_job

from nmt.text.target_text import VERBATIM
from nmt.text.tokenizer import UNK, Tokenizers, train_tokenizers

LINES = [
    # French: spaces that do not break, before punctuation and inside numbers and quotes.
    *(
        "Bonjour\u00a0!",
        "Comment allez-vous\u202f?",
        "«\u00a0Oui\u00a0», dit-il\u202f; 10\u202f000\u00a0€",
        "l’œuvre n°\u00a02",
    ),
    # Chinese and Japanese: wide punctuation, letters, digits and spaces.
    *("你好，世界！（测试）；“引号”：是吗？", "\u3000全角\u3000空格", "１２３ＡＢＣ、ｶﾀｶﾅ～", "㈱①Ⅷ㌔"),
    # Persian and Arabic: joiners inside words, Arabic letters by code points of presentation.
    *("می\u200cخواهم کتاب\u200cها را", "ﷲ ﻻ", "क्\u200dष"),
    # User interfaces.
    *(
        "Loading… 50\u2009%",
        "№ 5, 2², ½ cup, ™ ® ©",
        "ﬁle → ﬂow",
        "soft\u00adhyphen\u200b\u2060\ufeff",
        "a\u2028b",
        "été spaces line",
    ),
    # Spaces in a row, and SentencePiece's own characters.
    *("One.  Two.   Three.    Four.", "Tall ▁ ▂ ▃ ▄ ▅ ▆ ▇ █ bars ▁▁ ▅▅▅", "a \u00a0 b"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("target")
    for name in ("train", "valid"):
        (folder / f"{name}.xx").write_text("".join(line + "\n" for line in LINES * 4), encoding="utf-8")
        (folder / f"{name}.en").write_text(
            "".join(f"line … {n}\u00a0!\n" for n in range(len(LINES) * 4)), encoding="utf-8"
        )
    return folder


SETTINGS = {
    "joint": (),
    "bpe": ("tokenizer.type=bpe",),
    "two vocabularies": ("tokenizer.joint=false",),
    "without protection": ("protect=[]",),
    "bytes": ("tokenizer.byte_fallback=true", "tokenizer.vocabulary_size=700"),
    "lower-cased source": ("tokenizer.normalization=nmt_nfkc_cf",),
    "identity of the source": ("tokenizer.normalization=identity",),
}


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def tokenizers(request, corpus) -> Tokenizers:
    return train_tokenizers(tiny_job(corpus, "tokenizer.vocabulary_size=400", *request.param))


def test_every_line_of_the_corpus_comes_back(tokenizers):
    target = tokenizers.target
    assert target.decode(target.encode(LINES)) == LINES
    assert target.decode(target.encode([line.encode() for line in LINES])) == LINES


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_every_line_comes_back_from_random_pieces(tokenizers, alpha):
    target = tokenizers.target
    assert target.decode(target.sample(LINES, alpha=alpha, seed=1)) == LINES


def test_a_graph_writes_what_python_writes_whatever_pieces_a_search_finds(tokenizers):
    text = pytest.importorskip("tensorflow_text")
    import tensorflow as tf

    target, choose = tokenizers.target, random.Random(1)
    twin = text.SentencepieceTokenizer(model=target.model, out_type=tf.int32)
    ids = target.encode(LINES)
    ids += [choose.choices(range(1, target.vocabulary_size), k=choose.randrange(12)) for _ in range(300)]
    written = [line.decode() for line in twin.detokenize(tf.ragged.constant(ids, dtype=tf.int32)).numpy()]
    assert written[: len(LINES)] == LINES
    assert written == target.decode(ids)


def test_joint_tokenizers_share_their_pieces_and_not_their_normalization(corpus):
    source, target = joint = train_tokenizers(tiny_job(corpus, "tokenizer.vocabulary_size=400"))
    assert joint.joint
    assert (source.normalization, target.normalization) == ("nmt_nfkc", VERBATIM)
    assert source.encode(["line … 1\u00a0!  x"]) == source.encode(["line ... 1 ! x"])
    assert target.encode(["line …"]) != target.encode(["line ..."])
    assert not train_tokenizers(tiny_job(corpus, "tokenizer.vocabulary_size=400", "tokenizer.joint=false")).joint


def test_what_a_target_line_loses_is_composition_control_characters_and_spaces_at_its_ends(tokenizers):
    lines = {
        "  two  spaces ": "two  spaces",
        "e\u0301te\u0301": "été",
        "a\tb\r": "a b",
        "l\x00in\x85e\x7f": "line",
        " \t ": "",
    }
    for line, kept in lines.items():
        assert tokenizers.target.decode(tokenizers.target.encode([line])) == [kept]
    for line in LINES:
        assert unicodedata.normalize("NFC", line) == line


def test_spaces_in_a_row_that_the_corpus_does_not_have_are_one(tmp_path):
    for side in ("en", "xx"):
        (tmp_path / f"train.{side}").write_text("the red dog sees the blue cat\n" * 9)
        (tmp_path / f"valid.{side}").write_text("the red dog\n")
    target = train_tokenizers(tiny_job(tmp_path)).target
    ids = target.encode(["the  red   dog"])
    assert UNK not in ids[0]
    assert target.decode(ids) == ["the red dog"]


def test_pieces_show_the_characters_that_they_write(tokenizers):
    (ids,) = tokenizers.target.encode(["One.  Two. ▅"])
    shown = "".join(tokenizers.target.pieces(ids))
    assert shown.replace("▁", " ").strip() == "One.  Two. ▅"
