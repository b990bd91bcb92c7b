import gzip
import io
import subprocess
import sys
from collections import Counter
from random import Random

import numpy as np
import pytest
import sentencepiece

from nmt.config.settings import Config
from nmt.text.tokenizer import (
    BOS,
    EOS,
    FIRST_SYMBOL,
    JOINER,
    PAD,
    SPECIAL_PIECES,
    SYMBOLS,
    UNK,
    Tokenizer,
    Tokenizers,
    train_tokenizers,
)

SOURCE = [
    f"The {color} {animal} sees {number} houses ."
    for number, color in enumerate(["red", "blue", "old"] * 20)
    for animal in ["dog", "cat", "ox"]
]
SOURCE.append("The ostrich ran .")
TARGET = [
    line.replace("ostrich", "Strauß").replace("The", "Der").replace("sees", "sieht").replace("houses", "Häuser")
    for line in SOURCE
]

NASTY: list[str | bytes] = [
    *(
        "",
        " ",
        "The red dog",
        "  two  spaces  ",
        "\u2028",
        "dog\u2028cat",
        "\u200d",
        "\ufeffmark",
        "e\u0301",
        "\U0010ffff",
    ),
    *(
        "\x00",
        "dog\x00cat",
        "\x01\x02\x7f",
        "\t tab",
        "line\nbreak\r\n",
        "dog " * 5_000,
        "x" * 10_000,
        "ﬁ Ⅷ ① ½",
        "▁▁ dog",
    ),
    *("👩\u200d👩\u200d👧 family 🇩🇪", "שלום עולם", "مرحبا بالعالم", "日本語のテキスト"),
    *("<s> </s> <pad> <unk>", "<b>dog</b> a,b"),
    *(
        b"\xff",
        b"dog\xffcat\xfe",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xc0\x80",
        b"\x80dog",
        b"dog\x00\xff cat",
        b"\xe2\x82",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "a.en").write_text("\n".join(SOURCE) + "\n", encoding="utf-8")
    (folder / "a.de.gz").write_bytes(gzip.compress(("\n".join(TARGET) + "\n").encode()))
    return folder


@pytest.fixture(scope="module")
def job(folder):
    def make(**tokenizer) -> Config:
        pair = {"source": str(folder / "a.en"), "target": str(folder / "a.de.gz")}
        return Config(
            run=str(folder / "run"),
            source_language="en",
            target_language="de",
            data={"train": [pair], "validation": pair},
            tokenizer={"vocabulary_size": 70, **tokenizer},
        )

    return make


@pytest.fixture(scope="module")
def joint(job) -> Tokenizer:
    return train_tokenizers(job()).source


def test_special_ids_are_fixed_and_text_comes_back(joint):
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert tuple(joint.pieces([PAD, UNK, BOS, EOS])) == SPECIAL_PIECES
    ids = joint.encode(SOURCE + TARGET)
    assert joint.decode(ids) == SOURCE + TARGET
    assert min(min(row) for row in ids) > EOS
    assert max(max(row) for row in ids) < joint.vocabulary_size
    assert "".join(joint.pieces(ids[0])).replace("▁", " ").strip() == SOURCE[0]


def test_decode_passes_over_padding_and_ends_wherever_they_stand(joint):
    (ids,) = joint.encode([SOURCE[0]])
    assert joint.decode([[BOS, *ids[:3], PAD, *ids[3:], EOS, PAD, PAD], [], [PAD, EOS]]) == [SOURCE[0], "", ""]
    assert joint.decode([]) == joint.encode([]) == []
    with pytest.raises(ValueError, match="outside the vocabulary"):
        joint.decode([[joint.vocabulary_size]])


def test_text_that_cannot_be_utf8_is_unknown_and_no_error(joint):
    for line in ("\ud800", b"\xff", "\x00"):
        assert UNK in joint.encode([line])[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"type": "bpe"},
        {"byte_fallback": True, "vocabulary_size": 320},
        {"user_defined_symbols": ["<b>", "a,b", '"']},
    ],
    ids=str,
)
def test_any_bytes_give_the_ids_and_text_that_tensorflow_text_gives(job, settings):
    text = pytest.importorskip("tensorflow_text")
    import tensorflow as tf

    tokenizer = train_tokenizers(job(**settings)).source
    twin = text.SentencepieceTokenizer(model=tokenizer.model, out_type=tf.int32)
    lines = [line.encode() if isinstance(line, str) else line for line in NASTY]
    ids = tokenizer.encode(NASTY)
    assert ids == twin.tokenize(tf.constant(lines)).to_list()
    assert ids == [tokenizer.encode([line])[0] for line in lines]
    decoded = [line.decode() for line in twin.detokenize(tf.ragged.constant(ids, dtype=tf.int32)).numpy()]
    assert tokenizer.decode(ids) == decoded


def test_the_same_text_and_settings_train_the_same_bytes_in_another_process(job, joint, folder):
    code = (
        "import sys; from nmt.config.settings import Config; from nmt.text.tokenizer import train_tokenizers;"
        "sys.stdout.buffer.write(train_tokenizers(Config.model_validate_json(sys.argv[1])).source.model)"
    )
    done = subprocess.run([sys.executable, "-c", code, job().model_dump_json()], capture_output=True, check=True)
    assert done.stdout == joint.model
    assert done.stderr == b""


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_sampling_is_a_pure_function_of_lines_alpha_and_seed_in_any_process(job, kind, tmp_path):
    tokenizer = train_tokenizers(job(type=kind)).source
    first = tokenizer.sample(SOURCE, alpha=0.3, seed=7)
    assert (
        first
        == tokenizer.sample(SOURCE, alpha=0.3, seed=7)
        == Tokenizer(tokenizer.model).sample(SOURCE, alpha=0.3, seed=7)
    )
    assert first != tokenizer.sample(SOURCE, alpha=0.3, seed=8)
    assert first != tokenizer.encode(SOURCE)
    assert tokenizer.decode(first) == SOURCE
    (tmp_path / "model").write_bytes(tokenizer.model)
    code = (
        "import sys; from nmt.text.tokenizer import Tokenizer;"
        "print(Tokenizer.load(sys.argv[1]).sample(sys.stdin.read().splitlines(), alpha=0.3, seed=7))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")],
        input="\n".join(SOURCE),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.strip() == str(first)


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        ({}, 1e6),
        ({"user_defined_symbols": ["<b>"]}, 1e6),
        ({"byte_fallback": True, "vocabulary_size": 320}, 1e6),
        ({"type": "bpe"}, 0.0),
    ],
)
def test_at_the_end_of_alpha_a_sample_is_the_encoding_of_any_line(job, settings, alpha):
    tokenizer = train_tokenizers(job(**settings)).source
    lines = [line for line in SOURCE + TARGET + NASTY if isinstance(line, str)]
    assert tokenizer.sample(lines, alpha=alpha, seed=1) == tokenizer.encode(lines)


def test_unigram_samples_follow_the_smoothed_probabilities_of_the_pieces(joint):
    """P(x) ~ exp(alpha * sum of the pieces' log-probabilities) (Kudo 2018, section 3.2)."""
    alpha = 0.4
    found = Counter(map(tuple, joint.sample(["houseshouses"] * 20_000, alpha=alpha, seed=1)))
    processor = sentencepiece.SentencePieceProcessor(model_proto=joint.model)
    scores = {ids: sum(map(processor.get_score, ids)) for ids in found}
    total = sum(np.exp(alpha * score) for score in scores.values())
    assert len(found) > 3
    for ids, count in found.items():
        probability = np.exp(alpha * scores[ids]) / total
        assert abs(count / 20_000 - probability) < 5 * np.sqrt(probability / 20_000)


def test_merge_dropout_goes_from_the_merges_to_single_characters(job):
    bpe = train_tokenizers(job(type="bpe", user_defined_symbols=["<b>"])).source
    lengths = [np.mean([len(ids) for ids in bpe.sample(SOURCE, alpha=rate, seed=1)]) for rate in (0.0, 0.1, 0.5, 1.0)]
    assert lengths == sorted(set(lengths))
    assert bpe.pieces(bpe.sample(["the dog"], alpha=1.0, seed=1)[0]) == list("\u2581the\u2581dog")
    assert "<b>" in bpe.pieces(bpe.sample(["dog<b>dog"], alpha=1.0, seed=1)[0])


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_text_without_spaces_is_sampled_in_all_its_parts(job, folder, kind):
    """A line without spaces is one word to SentencePiece, and 16 segmentations of a whole line would hardly differ."""
    choose = Random(1)
    words = ["".join(choose.choices("日本語読書鳥雨風", k=2)) for _ in range(12)]
    lines = ["".join(choose.choices([*words, "は", "を", "ました", "です。"], k=8)) for _ in range(200)]
    (folder / "ja").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = {"source": str(folder / "ja"), "target": str(folder / "ja")}
    config = job(type=kind, vocabulary_size=120, byte_fallback=False)
    config = config.model_copy(update={"data": config.data.model_validate({"train": [text], "validation": text})})
    tokenizer = train_tokenizers(config).source
    best = tokenizer.encode(lines)
    assert tokenizer.sample(lines, alpha=0.0 if kind == "bpe" else 1e6, seed=1) == best
    assert tokenizer.decode(tokenizer.sample(lines, alpha=0.1, seed=1)) == lines
    long_line = "".join(lines)
    drawn = {tuple(tokenizer.sample([long_line], alpha=0.1, seed=seed)[0]) for seed in range(50)}
    assert len(drawn) == 50


def test_both_sides_survive_saving_and_share_their_pieces_where_joint(job, tmp_path):
    for joint in (True, False):
        tokenizers = train_tokenizers(job(joint=joint))
        tokenizers.save(tmp_path)
        loaded = Tokenizers.load(tmp_path)
        assert tokenizers.joint is loaded.joint is joint
        assert [side.model for side in loaded] == [side.model for side in tokenizers]
    assert UNK in tokenizers.source.encode(["ä"])[0]
    assert UNK not in tokenizers.target.encode(["Häuser"])[0]


def test_a_tokenizer_of_an_older_version_keeps_normalizing_its_target():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SOURCE), model_writer=model, vocab_size=60, minloglevel=3, hard_vocab_limit=False,
        pad_id=PAD, unk_id=UNK, bos_id=BOS, eos_id=EOS,
    )  # fmt: skip
    old = Tokenizer(model.getvalue())
    assert old.normalization == "nmt_nfkc"
    assert old.encode(["The\u00a0dog  sees\u2026"]) == old.encode(["The dog sees..."])
    assert old.sample(["The\u00a0dog  sees"], alpha=1e6, seed=1) == old.encode(["The dog sees"])


def test_settings_of_the_trainer_act(job):
    symbols = train_tokenizers(job(user_defined_symbols=["d o"])).source.pieces(range(FIRST_SYMBOL, FIRST_SYMBOL + 10))
    assert symbols == [*SYMBOLS, JOINER, "d o"]
    assert train_tokenizers(job().model_copy(update={"protect": []})).source.pieces([FIRST_SYMBOL]) != [SYMBOLS[0]]
    bytewise = train_tokenizers(job(byte_fallback=True, vocabulary_size=320)).source
    assert bytewise.decode(bytewise.encode(["日本 \x01"])) == ["日本"]
    assert UNK not in bytewise.encode(["日本"])[0]
    lower = train_tokenizers(job(normalization="nmt_nfkc_cf")).source
    assert lower.decode(lower.encode(["THE Dog"])) == ["the dog"]
    for coverage, known in ((1.0, True), (0.98, False)):
        rare = train_tokenizers(job(character_coverage=coverage, vocabulary_size=150)).source.encode(["ß"])[0]
        assert (UNK not in rare) is known
    # The characters of names and numbers count as no rare ones.
    assert UNK not in train_tokenizers(job(character_coverage=0.98, vocabulary_size=150)).source.encode(["QX 7"])[0]
    big = train_tokenizers(job(vocabulary_size=5_000)).source
    assert big.vocabulary_size < 5_000


def test_a_cap_takes_sentences_evenly_from_all_files(job, folder):
    lines = [f"{chr(0x4E00 + number)}" for number in range(100)]
    (folder / "signs").write_text("\n".join(lines) + "\n", encoding="utf-8")
    signs = {"source": str(folder / "signs"), "target": str(folder / "signs")}
    config = job(max_sentences=10, vocabulary_size=100, joint=False)
    config = config.model_copy(update={"data": config.data.model_validate({"train": [signs] * 2, "validation": signs})})
    tokenizer = train_tokenizers(config).source
    known = [number for number, line in enumerate(lines) if UNK not in tokenizer.encode([line])[0]]
    assert known == list(range(19, 100, 20))  # 10 of 200 lines: each 20th, so the same 5 of either file


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"vocabulary_size": 5_000, "hard_vocabulary_limit": True},
            r"5000, but the source and target text has only \d+",
        ),
        ({"vocabulary_size": 16}, r"16, but the characters .* need \d+"),
        (
            {"vocabulary_size": 260, "byte_fallback": True, "joint": False},
            r"characters of the source text .* need \d{3}",
        ),
        ({"user_defined_symbols": ["<s>"]}, "<s> is the name of a special token"),
        ({"user_defined_symbols": ["x", "x"]}, "duplicated"),
    ],
)
def test_a_vocabulary_the_text_does_not_allow_says_what_it_allows(job, settings, says):
    with pytest.raises(ValueError, match=says):
        train_tokenizers(job(**settings))


def test_a_tag_that_is_no_piece_is_spelled_and_refused_where_that_cannot_be(joint):
    spelled = joint.tag_ids("the")
    assert spelled == joint.encode(["the"])[0]
    assert joint.tag_ids(None) == []
    with pytest.raises(ValueError, match="cannot spell it"):
        joint.tag_ids("<\N{CAT}>")


def test_what_is_no_tokenizer_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"none\.model: cannot read"):
        Tokenizer.load(tmp_path / "none.model")
    (tmp_path / "bad.model").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"bad\.model: not a SentencePiece model"):
        Tokenizer.load(tmp_path / "bad.model")
    (tmp_path / "bad.model").write_bytes(b"")
    with pytest.raises(ValueError, match=r"bad\.model: an empty file"):
        Tokenizer.load(tmp_path / "bad.model")


def test_a_model_of_other_special_ids_is_refused():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SOURCE), model_writer=model, vocab_size=30, minloglevel=3
    )
    with pytest.raises(ValueError, match=r"pad, unk, bos, eos = \(-1, 0, 1, 2\), expected \(0, 1, 2, 3\)"):
        Tokenizer(model.getvalue())


def test_an_empty_corpus_is_refused(job, tmp_path):
    (tmp_path / "empty").write_text("\n \n")
    empty = {"source": str(tmp_path / "empty"), "target": str(tmp_path / "empty")}
    config = job()
    config = config.model_copy(update={"data": config.data.model_validate({"train": [empty], "validation": empty})})
    with pytest.raises(ValueError, match="text is empty"):
        train_tokenizers(config)


def test_letters_met_in_one_case_only_are_known_in_both_and_capitals_have_pieces_where_training_sees_them(job, folder):
    lines = [f"{words} über quiet jam" for words in ("the dog sees houses", "dog and houses see the")] * 200
    (folder / "lower").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pair = {"source": str(folder / "lower"), "target": str(folder / "lower")}
    config = job(vocabulary_size=150, type="bpe")
    data = config.data.model_dump() | {"train": [pair], "validation": pair}

    def tokenizer(case):
        settings = config.data.model_validate(data | {"case_augmentation": case})
        return train_tokenizers(config.model_copy(update={"data": settings})).source

    capitals = lines[0].upper()
    assert UNK in tokenizer(0.0).encode([capitals])[0]
    for case in (0.002, 0.1):
        assert UNK not in tokenizer(case).encode([capitals])[0]
    assert len(tokenizer(0.1).encode([capitals])[0]) < len(tokenizer(0.002).encode([capitals])[0]) / 2
