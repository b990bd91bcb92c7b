from nmt.config.data import TextPair
from nmt.config.file import parse_config
from nmt.config.writer import Choice, config_text

PAIR = TextPair(source='a "quoted": name #1.en', target="no")
NEEDED = [
    Choice("run", "runs/1e3", "a number to some"),
    Choice("source_language", "no", "false to some"),
    Choice("target_language", "de", "text"),
    Choice("data.train", [PAIR, PAIR], "two"),
    Choice("data.validation", PAIR, "one"),
]
CHOICES = [
    Choice("data.test.held out", PAIR, "a name with a space"),
    Choice("tokenizer.user_defined_symbols", ["\\n", "%s", "é", "{0}", "#"], "nasty"),
    Choice("tokenizer.joint", False, "false"),
    Choice("model.dropout.output", 0.25, "a number " * 20),
    Choice("training.max_epochs", None, "null"),
    Choice("training.schedule.learning_rate", 1e-3, "small"),
    Choice("training.max_minutes", 5.0, "an end"),
]


def test_a_written_config_says_what_was_chosen():
    config = parse_config(config_text([*CHOICES, *NEEDED], "two\nlines"))
    assert [corpus.model_dump(include={"source", "target"}) for corpus in config.data.train] == [PAIR.model_dump()] * 2
    assert (config.run, config.source_language, config.data.validation) == ("runs/1e3", "no", PAIR)
    assert config.data.test == {"held out": PAIR}
    assert config.tokenizer.user_defined_symbols == ["\\n", "%s", "é", "{0}", "#"]
    assert config.tokenizer.joint is False
    assert config.model.dropout.output == 0.25
    assert config.training.max_epochs is None
    assert config.training.schedule.learning_rate == 1e-3


def test_each_choice_has_its_reason_in_its_line_or_above_it():
    lines = config_text([*CHOICES, *NEEDED], "heading").splitlines()
    for choice in (*CHOICES, *NEEDED):
        (place,) = [place for place, line in enumerate(lines) if line.endswith(f"# {choice.reason}")]
        key = choice.setting.rpartition(".")[2] + ":"
        assert key in lines[place] or key in lines[place + 1]


def test_sections_stand_in_the_order_of_the_settings():
    found = [line for line in config_text([*CHOICES, *NEEDED], "").splitlines() if line and line[0] not in "# "]
    assert [line.partition(":")[0] for line in found] == [
        *("run", "source_language", "target_language", "data", "tokenizer", "model", "training")
    ]
