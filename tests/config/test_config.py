"""The settings of a job: what is accepted, what is refused and in which words, and that nothing is lost on the way."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from nmt.config.data import Corpus, DataConfig, TextPair
from nmt.config.file import ConfigError, dump_config, load_config, override_config, parse_config
from nmt.config.model import ModelConfig
from nmt.config.presets import PRESETS
from nmt.config.schema import describe_settings, json_schema
from nmt.config.settings import Config

JOB = """\
run: runs/demo
source_language: "en"
target_language: "de"
data:
  train:
    - source: train.en
      target: train.de
  validation: {source: valid.en, target: valid.de}
"""


def problems(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, name="job.yaml", overrides=overrides)
    assert "pydantic" not in str(caught.value)
    return caught.value.problems


# ---- what is accepted


def test_a_job_needs_only_its_required_keys_and_the_rest_are_the_defaults_of_config_py():
    pair = TextPair(source="valid.en", target="valid.de")
    data = DataConfig(train=[Corpus(source="train.en", target="train.de")], validation=pair)
    assert parse_config(JOB) == Config(run="runs/demo", source_language="en", target_language="de", data=data)


def test_paths_are_expanded_as_a_shell_does_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/one")
    monkeypatch.setenv("CORPORA", "/data")
    places = ["run=~/runs/a", "data.train.0.source=$CORPORA/a.en", "data.validation.target=${CORPORA}/v.de"]
    config = parse_config(JOB, overrides=[*places, "training.start_from=$HOME/b", "tokenizer.from_run=a~b"])
    assert (config.run, config.training.start_from, config.tokenizer.from_run) == (
        *("/home/one/runs/a", "/home/one/b", "a~b"),
    )
    assert (config.data.train[0].source, config.data.validation.target) == ("/data/a.en", "/data/v.de")


def test_what_a_shell_could_not_expand_is_refused(monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    (problem,) = problems(JOB, "run=$NOWHERE/runs")
    assert "run: " in problem
    assert "no variable $NOWHERE" in problem
    (problem,) = problems(JOB, "run=~nobody-here/runs")
    assert "no such user" in problem


@pytest.mark.parametrize(
    ("written", "number"),
    [("1e-3", 0.001), ("1E-3", 0.001), ("1.0e-3", 0.001), ("2", 2.0), (".5", 0.5), ("5.", 5.0), ("+1e0", 1.0)],
)
def test_every_usual_spelling_of_a_number_is_that_number(written, number):
    config = parse_config(JOB + f"training: {{schedule: {{learning_rate: {written}}}}}")
    assert config.training.schedule.learning_rate == number


def test_underscores_may_group_digits():
    assert parse_config(JOB + "tokenizer: {max_sentences: 1_000_000}").tokenizer.max_sentences == 1_000_000


def test_a_name_that_yaml_reads_as_a_number_or_boolean_is_still_a_name():
    text = JOB + "  test: {2016: {source: a, target: b}, on: {source: c, target: d}}"
    assert list(parse_config(text).data.test) == ["2016", "on"]


def test_anchors_and_merges_work_and_an_override_changes_only_the_place_it_names():
    text = JOB + "  test:\n    x: &pair {source: a, target: b}\n    y: *pair\n    z: {<<: *pair, target: c}\n"
    test = parse_config(text, overrides=["data.test.x.source=new"]).data.test
    assert test["x"] == TextPair(source="new", target="b")
    assert test["y"] == TextPair(source="a", target="b")
    assert test["z"] == TextPair(source="a", target="c")


# ---- presets


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_what_it_lists_and_leaves_the_rest_at_the_defaults(preset):
    def expect(found: dict[str, Any], listed: dict[str, Any], default: dict[str, Any]) -> None:
        for key, value in found.items():
            if isinstance(value, dict):
                expect(value, listed.get(key, {}), default[key])
            else:
                assert value == listed.get(key, default[key]), key

    found = parse_config(JOB + f"model: {{preset: {preset}}}").model.model_dump()
    expect(found, {**PRESETS[preset], "preset": preset}, ModelConfig().model_dump())


def test_what_the_file_says_lies_above_the_preset_even_inside_a_section():
    model = parse_config(JOB + "model: {preset: luong, units: 64, encoder: {layers: 2}}").model
    assert (model.units, model.encoder.layers) == (64, 2)
    preset = PRESETS["luong"]
    assert model.encoder.bidirectional_layers == preset["encoder"]["bidirectional_layers"]
    assert model.encoder.bidirectional_layers != ModelConfig().encoder.bidirectional_layers
    assert model.embedding_size == preset["embedding_size"]


def test_a_resolved_config_no_longer_depends_on_what_the_preset_says(monkeypatch):
    config = parse_config(JOB + "model: {preset: luong, units: 64}")
    stored = dump_config(config)
    monkeypatch.setitem(PRESETS, "luong", {"units": 2, "embedding_size": 2, "decoder": {"layers": 1}})
    assert parse_config(stored) == config


# ---- there and back


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "1e-3",
        "2016",
        "2016-01-01",
        "1_0",
        "0x1F",
        "010",
        "1:30",
        "~",
        "a: b",
        "# c",
        " x ",
        "é\u2028☃",
        "'\"\\",
        "-",
    ],
)
def test_dumping_and_parsing_gives_back_the_equal_config(text):
    path = text.replace("~", "./~")  # of a path, this would be expanded
    pair = TextPair(source=path, target=path)
    corpus = Corpus(source=path, target="b" * 300, weight=1e-5)
    data = DataConfig(train=[corpus, corpus], validation=pair, test={text: pair})
    config = Config(run=path, source_language=text, target_language="no", data=data)
    stored = dump_config(config)
    assert parse_config(stored) == config
    assert yaml.safe_load(stored)["run"] == path
    assert yaml.safe_load(stored)["source_language"] == text


def test_a_stored_config_spells_out_every_setting():
    stored = yaml.safe_load(dump_config(parse_config(JOB)))
    assert stored == parse_config(JOB).model_dump()


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB, encoding="utf-8-sig")
    assert load_config(path) == parse_config(JOB)


# ---- overrides


def test_an_override_sets_any_key_sections_lists_and_names_included():
    overrides = [
        "search.beam_size=8",
        "training.schedule.learning_rate=1e-3",
        "data.train.0.weight=2",
        "data.train.1={source: more.en, target: more.de}",
        "data.test.flickr.source=f.en",
        "data.test.flickr.target=f.de",
        "tokenizer.user_defined_symbols.0=<b>",
        "training.max_epochs=null",
        "training.max_steps=5",
        "model={preset: gnmt}",
        "model.units=64",
    ]
    config = parse_config(JOB, overrides=overrides)
    assert config.search.beam_size == 8
    assert config.training.schedule.learning_rate == 0.001
    assert [(corpus.source, corpus.weight) for corpus in config.data.train] == [("train.en", 2.0), ("more.en", 1.0)]
    assert config.data.test == {"flickr": TextPair(source="f.en", target="f.de")}
    assert config.tokenizer.user_defined_symbols == ["<b>"]
    assert (config.training.max_epochs, config.training.max_steps) == (None, 5)
    assert (config.model.units, config.model.embedding_size) == (64, 1024)


def test_a_training_has_an_end_of_its_own_only_where_none_is_set():
    assert parse_config(JOB).training.max_epochs == 30
    for end in ("max_steps=5", "max_minutes=2.0"):
        assert parse_config(JOB, overrides=[f"training.{end}"]).training.max_epochs is None
        assert parse_config(JOB, overrides=[f"training.{end}", "training.max_epochs=7"]).training.max_epochs == 7


def test_the_last_of_two_overrides_wins():
    assert parse_config(JOB, overrides=["seed=2", "seed=3"]).seed == 3


def test_overriding_a_config_changes_that_setting_alone():
    config = parse_config(JOB)
    changed = override_config(config, ["search.beam_size=8"])
    assert changed == config.model_copy(update={"search": config.search.model_copy(update={"beam_size": 8})})


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("search.beam_siez=4", "search.beam_siez: unknown key; did you mean beam_size?"),
        ("serch.beam_size=4", "serch: unknown key; did you mean search?"),
        ("beam_size=4", "beam_size: unknown key; did you mean search.beam_size?"),
        ("search.beam_size=0", "search.beam_size: 0 came, a whole number >= 1 was expected"),
        ("search.beam_size", "section.key=value was expected"),
        ("=4", "section.key=value was expected"),
        ("search..beam_size=4", "section.key=value was expected"),
        ("data.train.3.weight=1", "data.train is a list of 1, counted from 0; 3 is not in it"),
        ("data.train.x=1", "data.train is a list of 1, counted from 0; x is not in it"),
        ("seed.x=1", "seed is 5, which has no x"),
        ("search={beam_size: 1, beam_size: 2}", "beam_size: given twice, first in line 1"),
    ],
)
def test_a_wrong_override_is_named_as_the_place(override, complaint):
    assert problems(JOB + "seed: 5", override) == (f"--set {override}: {complaint}",)


def test_an_override_that_is_no_yaml_is_refused():
    (problem,) = problems(JOB, "seed=[1")
    assert problem.startswith("--set seed=[1: not valid YAML: ")


def test_a_conflict_between_settings_points_at_the_override_that_made_it():
    complaint = "search: n_best (7) cannot exceed beam_size (5): set search.beam_size to at least 7"
    assert problems(JOB, "search.n_best=7") == (f"--set search.n_best=7: {complaint}",)


# ---- complaints


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("sead: 3", "sead: unknown key; did you mean seed?"),
        ("units: 3", "units: unknown key; did you mean model.units?"),
        ("zzz: 3", "zzz: unknown key; known here: run, source_language, target_language, seed, data, cleaning,"),
        ("search: {beam_siez: 3}", "search.beam_siez: unknown key; did you mean beam_size?"),
        ("seed: x", 'seed: "x" came, a whole number >= 0 and < 4,294,967,296 was expected'),
        ("seed: '7'", 'seed: "7" came, a whole number >= 0 and < 4,294,967,296 was expected; remove the quotes'),
        ("seed: 010", 'seed: "010" came, a whole number >= 0 and < 4,294,967,296 was expected'),
        ("seed: true", "seed: true came, a whole number >= 0 and < 4,294,967,296 was expected"),
        (
            "seed: yes",
            "seed: yes (which YAML reads as true) came, a whole number >= 0 and < 4,294,967,296 was expected",
        ),
        ("seed: 1.5", "seed: 1.5 came, a whole number >= 0 and < 4,294,967,296 was expected"),
        ("seed: -1", "seed: -1 came, a whole number >= 0 and < 4,294,967,296 was expected"),
        (
            "seed:",
            "seed: nothing came, a whole number >= 0 and < 4,294,967,296 was expected; "
            "leave the key out to get its default",
        ),
        ("seed: [1]", "seed: a list came, a whole number >= 0 and < 4,294,967,296 was expected"),
        ("seed: {a: 1}", "seed: a section came, a whole number >= 0 and < 4,294,967,296 was expected"),
        ("data.x: 3", "data.x: unknown key; did you mean data?"),
        ("export: {name: ''}", r'export.name: "" came, text matching ^[\w.-]+$ was expected; it must not be empty'),
        ("search: 3", "search: 3 came, a section with beam_size, length_penalty,"),
        ("search: {length_penalty: true}", "search.length_penalty: true came, a number >= 0 was expected"),
        ("search: {top_p: .nan}", "search.top_p: .nan came, a number > 0 and <= 1 was expected"),
        ("search: {temperature: .inf}", "search.temperature: .inf came, a number >= 0.001 was expected"),
        ("tokenizer: {joint: 1}", "tokenizer.joint: 1 came, true or false was expected"),
        ("tokenizer: {type: bqe}", 'tokenizer.type: "bqe" came, one of unigram, bpe was expected; did you mean bpe?'),
        ("model: {preset: gnmtt}", 'model.preset: "gnmtt" came, one of luong, gnmt, rnmt_plus or null was expected;'),
        ("tokenizer: {user_defined_symbols: <b>}", 'tokenizer.user_defined_symbols: "<b>" came, a list, each text'),
        ("tokenizer: {user_defined_symbols: [a, 1]}", "tokenizer.user_defined_symbols.1: 1 came, text was expected;"),
        ("training: {optimizer: {arguments: {a: x}}}", 'training.optimizer.arguments.a: "x" came, a number or true or'),
        ("export: {name: a b}", r'export.name: "a b" came, text matching ^[\w.-]+$ was expected'),
        (
            "model: {tied_embeddings: all}\ntokenizer: {joint: false}",
            "model.tied_embeddings: all needs tokenizer.joint",
        ),
        (
            "training: {consistency: 1.0}\nmodel: {dropout: {embedding: 0.0, layers: 0.0, output: 0.0}}",
            "training.consistency compares two passes with different dropout, and model.dropout has none",
        ),
        ("model: {units: 7}", "model: units must be even where the encoder has bidirectional layers, got 7"),
        (
            "training: {max_steps: 500, schedule: {name: cosine, hold_steps: 500}}",
            "training: cosine needs decay_steps or max_steps, here 500 a cycle, beyond hold_steps: 500",
        ),
        (
            "training: {max_steps: 900, schedule: {name: cosine, restarts: 1, hold_steps: 500}}",
            "training: cosine needs decay_steps or max_steps, here 450 a cycle, beyond hold_steps: 500",
        ),
        ("training: {max_epochs: null}", "training: never ends: set at least one of max_steps, max_epochs, max_minut"),
        ("on: 3", "on: unknown key; known here: run,"),
    ],
)
def test_a_complaint_says_where_what_came_and_what_was_expected(line, complaint):
    (problem,) = problems(JOB + line)
    assert problem.startswith(f"job.yaml:9: {complaint}")


@pytest.mark.parametrize("word", ["no", "yes", "on", "3", "1.5"])
def test_a_language_code_that_yaml_reads_as_something_else_is_to_be_quoted(word):
    (problem,) = problems(JOB.replace('"de"', word))
    assert problem.startswith(f"job.yaml:3: target_language: {word} ")
    assert problem.endswith(f'came, text was expected; quote it: "{word}"')
    assert parse_config(JOB.replace("de", word)).target_language == word
    with pytest.raises(ValueError, match=r"quote it, also for the shell: '\"no\"'"):
        override_config(parse_config(JOB), ["target_language=no"])


def test_a_missing_key_is_named_with_its_meaning_at_the_line_of_its_section():
    (problem,) = problems(JOB.replace('target_language: "de"\n', ""))
    assert problem.startswith("job.yaml:1: target_language: missing; text was expected: Code of the target language")


def test_a_corpus_that_lacks_a_side_is_named_with_its_line():
    (problem,) = problems(JOB.replace("      target: train.de\n", ""))
    assert problem.startswith("job.yaml:6: data.train.0: target is missing: ")
    (problem,) = problems(JOB.replace("target: valid.de", ""))
    assert problem.startswith("job.yaml:8: data.validation: target is missing: ")


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    text = (
        JOB.replace('"en"', "no")
        + "sead: 3\nsearch: {beam_siez: 1, n_best: true}\nmodel: {units: 7}\nmodel: {units: 7}"
    )
    found = problems(text, "tokenizer.tipe=bpe", "x")
    assert [problem.split(": ")[:2] for problem in found] == [
        ["job.yaml:12", "model"],
        ["--set x", "section.key=value was expected"],
        ["job.yaml:2", "source_language"],
        ["job.yaml:9", "sead"],
        ["job.yaml:10", "search.beam_siez"],
        ["job.yaml:10", "search.n_best"],
        ["job.yaml:12", "model"],
        ["--set tokenizer.tipe=bpe", "tokenizer.tipe"],
    ]
    with pytest.raises(ConfigError, match=r"^8 problems in the settings\njob.yaml:12: "):
        parse_config(text, name="job.yaml", overrides=["tokenizer.tipe=bpe", "x"])


def test_a_key_given_twice_is_an_error_with_both_lines():
    assert problems(JOB + "seed: 1\nseed: 1") == ("job.yaml:10: seed: given twice, first in line 9",)
    assert problems(JOB + "search:\n  n_best: 1\n  n_best: 1") == (
        "job.yaml:11: n_best: given twice, first in line 10",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "job.yaml: empty; keys such as run: and source_language: were expected"),
        ("# only a comment\n", "job.yaml: empty; keys such as run: and source_language: were expected"),
        ("\n- run: x", "job.yaml:2: a list came, keys such as run: and source_language: were expected"),
        ("hello", 'job.yaml:1: "hello" came, keys such as run: and source_language: were expected'),
        ("run:\n\tx: 1", "job.yaml:2:1: not valid YAML: a tab character; indent with spaces"),
        ("run: [1, 2", "job.yaml:1:11: not valid YAML: while parsing a flow sequence,"),
        ("run: a: b", "job.yaml:1:7: not valid YAML: mapping values are not allowed here"),
        ("run: a\n---\nrun: b", "job.yaml:2:1: not valid YAML: expected a single document"),
        ("run: *a", "job.yaml:1:6: not valid YAML: found undefined alias"),
        ("run: \x07", "job.yaml:1: character U+0007 is not allowed in YAML"),
        ("? [a]\n: b", "job.yaml:1:3: not valid YAML: while constructing a mapping, found unhashable key"),
        ("<<: 3", "job.yaml:1:5: not valid YAML: while constructing a mapping, expected a mapping or list of mappings"),
        ("run: !!int x", "job.yaml:1: not valid YAML: invalid literal for int()"),
        ("run: !!python/object/apply:os.getcwd []", "job.yaml:1:6: not valid YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_yaml_of_settings_is_refused_with_its_place(text, problem):
    (found,) = problems(text)
    assert found.startswith(problem)


def test_a_section_that_contains_itself_is_refused_rather_than_followed_for_ever():
    assert problems(JOB + "model: &m {preset: gnmt, encoder: *m}")[0].startswith("job.yaml:9: model.encoder.")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "demo.yaml").write_text(JOB)
    (tmp_path / "latin1.yaml").write_bytes(b"run: x\nseed: \xe4")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(JOB)
    for name, complaint in [
        ("demp.yaml", f": no such file; did you mean {tmp_path / 'demo.yaml'}?"),
        ("latin1.yaml", ":2: not UTF-8: byte 0xe4"),
        ("run", f": is a directory, a YAML file was expected; did you mean {tmp_path / 'run' / 'config.yaml'}?"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}{complaint}"


# ---- what can be set


def test_the_description_is_a_yaml_file_that_lacks_only_what_is_required():
    found = problems(describe_settings())
    required = {"run", "source_language", "target_language"}
    corpora = {"data.train.0", "data.validation"}
    assert {problem.split(": ")[1] for problem in found} == required | corpora
    assert all("nothing came, text was expected" in each or "source is missing" in each for each in found)


def test_the_description_shows_every_setting_with_its_true_default():
    filled = describe_settings().replace(":  # required: text", ": text")
    filled = filled.replace("source: null", "source: text").replace("target: null", "target: text")
    pair = TextPair(source="text", target="text")
    data = DataConfig(train=[Corpus(source="text", target="text")], validation=pair)
    expected = Config(run="text", source_language="text", target_language="text", data=data)
    assert parse_config(filled) == expected


def settings(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for section in [schema, *schema["$defs"].values()]:
        yield from section["properties"].items()


def test_every_setting_has_a_meaning_and_it_is_printed():
    printed = " ".join(line.strip(" #") for line in describe_settings().splitlines())
    for name, setting in settings(json_schema()):
        assert setting.get("description"), name
        assert setting["description"] in printed, name


def test_the_json_schema_knows_every_key_and_refuses_others():
    schema = json_schema()
    json.dumps(schema)
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["required"] == ["run", "source_language", "target_language", "data"]
    assert not any(section["additionalProperties"] for section in [schema, *schema["$defs"].values()])
    preset = schema["$defs"]["ModelConfig"]["properties"]["preset"]
    assert preset["anyOf"][0]["enum"] == list(PRESETS)
