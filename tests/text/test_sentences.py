"""Where sentences end: right cuts in many languages, nothing lost, Python and graph alike."""

import random

import pytest
import tensorflow as tf

from nmt.text.protection import Protection
from nmt.text.sentences import SentenceSplitter, joined

# "|" is a cut.
CASES = {
    "en": [
        "Sales rose by 98.1% in the 2nd quarter. |The exam on November 22 has been canceled.",
        "Dr. Smith met Mr. J. R. Jones at 5 p.m. in the U.S. Senate. |They talked.",
        'He asked: "Why? |Because?" and left.',
        "See e.g. the manual, i.e. page 3. |It is vol. 2, No. 5 of the series.",
        "Wait! |What? |Really... |Yes.",
        "It cost $3.50 at example.com. |Visit https://a.b/c.d today.",
        '"Stop!" he said. |(He was angry.) |She ran.',
        "The company Apple Inc. was founded by S. Jobs. |It is large.",
        "What is version 2.0.1? |It is new.",
    ],
    "de": [
        "Am 5. Januar kam Dr. Müller. |Er blieb z. B. bis zum 3. März.",
        "Das kostet ca. 5 Euro, d. h. wenig. |Nein!",
        "Er sagte: „Komm her!“ |Sie kam nicht.",
        "Im 19. Jahrhundert lebte Prof. Meier. |Er war bekannt.",
        "Wo ist Nr. 5? |Hier.",
    ],
    "fr": [
        "M. Dupont est parti. |Il reviendra. |Vraiment ?",
        "Qu'est-ce que c'est ? |C'est bon !",
        "Voir p. 12 et art. 3 du code. |Ensuite, lisez le reste.",
        "« Bonjour ! » |Elle sourit.",
        "Il habite av. Foch. |Mme Martin aussi.",
    ],
    "es": [
        "¿Dónde está el Sr. García? |Está en casa.",
        "¡Hola! |¿Qué tal?",
        "La Dra. López llegó a las 5. |Luego se fue.",
        "EE.UU. firmó el tratado. |Fue en 1999.",
    ],
    "it": [
        "Il sig. Rossi è arrivato. |Il dott. Bianchi no.",
        "Che ora è? |Sono le cinque.",
        "L'art. 5 dice così. |Leggi pure.",
    ],
    "pl": [
        "Urodził się w 1990 r. w Polsce. |Mieszka w Krakowie.",
        "Dr Nowak i prof. Kowalski przyszli. |Było późno.",
        "Gdzie jest ul. Długa? |Tam.",
    ],
    "ru": [
        "Это было в 1999 г. в Москве. |Потом он уехал.",
        "А. С. Пушкин родился в Москве. |Он поэт.",
        "Где ты? |Я дома! |Хорошо.",
    ],
    "tr": ["Dr. Ahmet geldi. |Sonra gitti.", "Nerede? |Burada."],
    "ar": ["أين أنت؟ |أنا هنا.", "وصل القطار. |غادر بعد ساعة."],
    "hi": ["वह आया। |फिर वह गया।", "तुम कहाँ हो? |मैं यहाँ हूँ।"],
    "ja": [
        "今日は晴れです。|明日は雨でしょう。",
        "「行く。」と彼は言った。|そして帰った。",
        "本当ですか？|はい！|そうです。",
    ],
    "zh": ["今天天气很好。|我们去公园吧！", "你好吗？|我很好。", "他说：“走吧。”|然后离开了。"],
    "cs": ["Narodil se 5. ledna 1990. |Žije v Praze.", "Viz např. str. 5. |Konec."],
    "nl": ["Dhr. Jansen is er. |Hij komt o.a. voor het boek.", "Waar is het? |Hier."],
    "sv": ["Det är bl.a. så. |Han kom kl. 5.", "Var är du? |Här."],
    "pt": ["O Sr. Silva chegou. |A Dra. Ana não.", "Onde está? |Aqui."],
}

PROTECTION = Protection(["urls", "tags", "placeholders", "emoji", "numbers"])


@pytest.mark.parametrize(("language", "text"), [(language, text) for language in CASES for text in CASES[language]])
def test_a_text_is_cut_where_its_sentences_end(language, text):
    found = SentenceSplitter(language, PROTECTION).split(text.replace("|", ""))
    cut = "|".join(sentence + space for sentence, space in zip(found.texts, [*found.spaces, ""], strict=True))
    assert cut == text


@pytest.mark.parametrize("space", ["\n", "\r\n", " \n\n\t", "\u2028"])
def test_a_line_end_separates_whatever_stands_before_it(space):
    found = SentenceSplitter("en").split(f"a title{space}and more")
    assert found == (["a title", "and more"], [space])


def test_space_at_either_end_is_no_part_of_a_sentence():
    assert SentenceSplitter("en").split("\t A line. ") == (["", "A line.", ""], ["\t ", " "])


def test_no_cut_falls_inside_a_protected_span():
    text = '<a title="One. Two! Three">Yes. No</a>'
    assert SentenceSplitter("en", PROTECTION).split(text).texts == ['<a title="One. Two! Three">Yes.', "No</a>"]
    assert SentenceSplitter("en").split(text).texts == ['<a title="One.', "Two!", 'Three">Yes.', "No</a>"]


def test_emoji_at_either_end_are_no_part_of_a_sentence():
    split = SentenceSplitter("en", PROTECTION).split
    assert split("😀 A line 😀😀") == (["", "A line", ""], ["😀 ", " 😀😀"])
    assert [text for text in split("One. 😀 Two 😀 and three! 😀\n😀 Four.").texts if text] == [
        "One.",
        "Two 😀 and three!",
        "Four.",
    ]
    assert split("Read <br>") == (["Read <br>"], [])


@pytest.mark.parametrize("language", ["en", "de", "ja"])
@pytest.mark.parametrize("protection", [None, PROTECTION], ids=["bare", "protected"])
def test_python_and_graph_cut_alike_and_lose_nothing(language, protection):
    choose = random.Random(1)
    parts = [*".!?。！ \n\t\u00a0abAB15\"'»«)(」と\r\u3000", "Dr. ", "z. B. ", "U.S. ", "Nr. "]
    parts += ['<b title="A. B">', "https://a.b.C/d. ", "😀", "{name}"]
    lines = ["".join(choose.choices(parts, k=choose.randrange(30))) for _ in range(3000)]
    lines += [text.replace("|", "") for texts in CASES.values() for text in texts]
    lines_as_bytes = [line.encode() for line in lines] + [b"A \xff\xe4. B." + line.encode() for line in lines[:500]]
    splitter = SentenceSplitter(language, protection)
    texts, spaces = (parts.to_list() for parts in splitter.split_in_graph(tf.constant(lines_as_bytes)))
    for line, *in_graph in zip(lines_as_bytes, texts, spaces, strict=True):
        line = line.decode("utf-8", "surrogateescape")
        found = splitter.split(line)
        assert joined(*found) == line
        in_python = [[part.encode("utf-8", "surrogateescape") for part in side] for side in found]
        assert [in_python[0], [*in_python[1], b""]] == in_graph
