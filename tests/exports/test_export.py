"""An export, loaded as TensorFlow Serving loads it, says what the command line says, in batches and one by one."""

import base64
import json
import math
import resource
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_job import tiny_job, write_corpus

from nmt.config.export import ExportConfig
from nmt.config.file import override_config
from nmt.exports.saved_model import WARMUP_FILE, SavedModel
from nmt.exports.signatures import MISSING
from nmt.exports.writer import export
from nmt.onnx_engine.open_onnx import onnx_translator, open_onnx
from nmt.onnx_export.writer import export as export_onnx
from nmt.runs.run import Run
from nmt.search.confidence import Calibration
from nmt.serving.error import ServingError
from nmt.serving.server import Server, model_config
from nmt.serving.translator_model import TranslatorModel
from nmt.text.glossary import Glossary
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD, SYMBOLS
from nmt.training.train import train
from nmt.translation.ensemble import load_translator
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator

pytest.importorskip("tensorflow_text", reason="the text endpoint needs tensorflow-text, which has no wheel here")

LINES = [
    b"red cat sees",
    b"",
    b"   \t ",
    b"big dog. small house. old tree runs.",
    b"\xff\xfe red \xe2\x82",  # no UTF-8
    b"red\x00cat",
    "\N{GRINNING FACE} \N{ZERO WIDTH JOINER} cat".encode(),
    "猫は赤い。".encode(),
    b"red blue green big small cat dog house tree car runs sees likes old new " * 3,
    b"see <b>red</b> {cat}: https://x.org/a_(b)?c=d, 3.5 dogs. " * 6,
    b"\xff{a}\xfe<b>\xef\xb7\x91\xef\xb7\x9f 5" + "\ufdd0\ufdd8x\ufddf1".encode(),
    b"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
    "\u200br\u00aded c\u2060at\u0085 \u2066sees\u2069".encode(),
    "\ufeff\u200b\u00ad".encode(),
    b" Red cat.  Big dog! \r\n\nSmall house? Old tree \t",
    b"BIG DOG RUNS. Red cat sees. OLD TREE RUNS https://x.org/a",
    "\N{GRINNING FACE} <b>\t5".encode(),
    " \N{GRINNING FACE}\n".encode(),
    "Red cat. \N{GRINNING FACE}\n\nbig {a}  <b>dog".encode(),
    b"cat " * 5000,
]
TERMS = {"BIG DOG": "BERNHARDINER", "small house": "Häuschen", "猫": "Kätzchen", "3.5 dogs": "dreieinhalb Hunde"}
CALIBRATION = Calibration(
    intercept=0.3,
    coefficients=(2.0, 1.0, -0.4, -0.3, 0.5, -0.5, -0.2),
    lines=0,
    pearson=0.0,
    spearman=0.0,
    reliability=(),
)
LIMITS = "export.max_line_pieces=40", "export.max_line_bytes=100"
STRICT = (*LIMITS, "export.n_best=3", "search.guard=false", "search.tag=old")
SETTINGS = (
    "search.guard=true",
    "search.beam_size=4",
    "search.max_source_length=30",
    "export.n_best=4",
    "model.attention.heads=2",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("job")
    write_corpus(folder)
    (folder / "terms.tsv").write_text(
        "".join(f"{term}\t{target}\n" for term, target in TERMS.items()), encoding="utf-8"
    )
    own = f"glossary={folder}/terms.tsv", "tokenizer.joint=false"
    run = train(tiny_job(folder, "training.max_steps=30", "training.validate_every=30", *own, *SETTINGS))
    run.save_calibration(CALIBRATION)
    return run


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    return export(run, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def model(exported) -> Iterator[SavedModel]:
    with closing(SavedModel(exported)) as model:
        yield model


@pytest.fixture(scope="module")
def ids_model(exported) -> Iterator[SavedModel]:
    with closing(SavedModel(exported.parent / "ids" / exported.name)) as model:
        yield model


@pytest.fixture(scope="module")
def translations(run):
    return load_translator([run], alignments=True).translate(LINES)


def variable_bytes(version: Path) -> int:
    saved = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    types, shapes = saved.get_variable_to_dtype_map(), saved.get_variable_to_shape_map()
    return sum(types[name].size * math.prod(shape) for name, shape in shapes.items() if types[name] != tf.string)


def test_a_bfloat16_export_has_two_bytes_a_weight_and_says_what_a_bfloat16_translator_says(run, exported, tmp_path):
    config = override_config(run.config, ["search.precision=bfloat16", "export.n_best=1"])  # nbest has its own tests
    narrow = export(run, tmp_path, config=config)
    saved = variable_bytes(exported) - variable_bytes(narrow)
    assert saved == 2 * run.load_model().count_params()

    lines = [b"red cat sees", b"big dog. small house. old tree runs."]
    model = run.load_model(precision="bfloat16")
    translator = Translator(
        ModelEngine([model]), run.tokenizers, config.search, protection=run.translation_protection()
    )
    expected = translator.translate(lines)
    with closing(SavedModel(narrow, warm_up=False)) as served:
        found = served.run("serving_default", texts(lines))
    assert found["translation"].tolist() == [translation.text.encode() for translation in expected]
    np.testing.assert_allclose(found["score"], [translation.score for translation in expected], atol=0.05)


def test_an_export_with_a_shortlist_says_what_the_command_line_says_with_it(run, translations, tmp_path):
    config = override_config(run.config, ["search.shortlist=1", "export.n_best=1"])
    expected = load_translator([run], search=config.search).translate(LINES)
    assert [one.text for one in expected] != [one.text for one in translations]  # the list is short enough to matter
    with closing(SavedModel(export(run, tmp_path, config=config), warm_up=False)) as served:
        found = served.run("serving_default", texts(LINES))
    assert [text.decode() for text in found["translation"]] == [translation.text for translation in expected]
    np.testing.assert_allclose(found["score"], [translation.score for translation in expected], rtol=1e-5, atol=1e-4)


def texts(lines):
    return {"text": np.array(lines, dtype=object)}


def test_a_batch_gives_exactly_the_command_lines_translations(model, translations):
    found = model.run("serving_default", texts(LINES))
    assert [text.decode() for text in found["translation"]] == [translation.text for translation in translations]
    np.testing.assert_allclose(
        found["score"], [translation.score for translation in translations], rtol=1e-5, atol=1e-4
    )
    assert not found["truncated"].any()


@pytest.mark.parametrize("signature", ["serving_default", "nbest", "align"])
def test_what_is_thought_of_a_translation_is_what_the_command_line_thinks(model, translations, signature):
    count = 9  # all but the longest, which the align signature would cut
    found = model.run(signature, texts(LINES[:count]))
    expected = translations[:count]
    assert found["degenerate"].tolist() == [translation.degenerate for translation in expected]
    assert 0 < sum(found["degenerate"]) < count, "some should be, some not"
    assert found["confidence"].dtype == np.float32
    np.testing.assert_allclose(found["confidence"], [each.confidence for each in expected], atol=1e-5)
    assert found["confidence"].tolist()[1:3] == [1.0, 1.0]


def test_each_term_of_the_runs_glossary_comes_out_as_often_as_the_source_has_it(model):
    found = model.run("serving_default", texts(LINES))["translation"]
    for line, translation in zip(LINES, found, strict=True):
        for term, target in TERMS.items():
            assert translation.count(target.encode()) == line.count(term.encode())


def test_a_request_may_bring_a_glossary_for_each_line_instead_of_the_exports(run, model):
    terms = "# mine\ncat\tKatze\r\n\nno entry\nbig dog\t Dogge\nsmall house\tHütte"
    glossary = Glossary({"cat": "Katze", "big dog": "Dogge", "small house": "Hütte"})
    expected = load_translator([run], glossary=glossary).translate(LINES)
    found = model.run("glossary", {**texts(LINES), "glossary": np.array([terms.encode()] * len(LINES), object)})
    assert [text.decode() for text in found["translation"]] == [translation.text for translation in expected]

    own = {"text": [b"red cat"] * 3, "glossary": [b"cat\tKatze", b"cat\tKater", b""]}
    found = model.run("glossary", {name: np.array(each, object) for name, each in own.items()})
    katze, kater, free = found["translation"]
    assert katze.decode().replace("Katze", "Kater") == kater.decode()
    assert free == load_translator([run], glossary=Glossary({})).translate([b"red cat"])[0].text.encode()
    assert model.run("glossary", {**texts([]), "glossary": np.array([], object)})["translation"].shape == (0,)


def test_a_line_alone_gives_what_it_gives_in_a_batch(model):
    together = model.run("serving_default", texts(LINES))["translation"]
    alone = [model.run("serving_default", texts([line]))["translation"][0] for line in LINES]
    assert alone == list(together)


def test_empty_and_blank_lines_become_the_empty_translation(model):
    found = model.run("serving_default", texts([b"", b" \t "]))
    assert list(found["translation"]) == [b"", b""]
    assert list(found["score"]) == [0.0, 0.0]


@pytest.mark.parametrize("signature", ["serving_default", "nbest", "align"])
def test_an_empty_batch_has_an_empty_answer(model, signature):
    assert {name: value.shape[0] for name, value in model.run(signature, texts([])).items()} == dict.fromkeys(
        model.signatures[signature].outputs, 0
    )


def test_n_best_is_sorted_and_leads_with_the_translation_of_the_same_beam(model):
    found = model.run("nbest", texts(LINES[:4]))
    best = model.run("serving_default", texts(LINES[:4]))
    assert found["translation"].shape == found["score"].shape == (4, 4)
    assert (np.diff(found["score"], axis=1) <= 0).all()
    assert list(found["translation"][:, 0]) == list(best["translation"])
    np.testing.assert_allclose(found["score"][:, 0], best["score"], rtol=1e-5, atol=1e-5)
    assert list(found["score"][1]) == [0.0] + [MISSING] * 3  # the empty line has one translation


def test_alignments_are_those_of_the_command_line(model, translations):
    count = len(LINES) - 1  # all but the longest
    found = model.run("align", texts(LINES[:count]))
    for place, translation in enumerate(translations[:count]):
        best = translation.n_best[0]
        rows, columns = len(best.pieces), len(translation.source_pieces)
        assert [piece.decode() for piece in found["target_pieces"][place] if piece] == list(best.pieces)
        assert [piece.decode() for piece in found["source_pieces"][place] if piece] == list(translation.source_pieces)
        if rows:
            np.testing.assert_allclose(found["alignment"][place, :rows, :columns], best.alignment, atol=1e-5)
        assert not found["alignment"][place, rows:].any()


def test_the_ids_endpoint_agrees_and_needs_no_sentencepiece_ops(run, exported, ids_model, translations):
    assert b"Sentencepiece" not in (ids_model.directory / "saved_model.pb").read_bytes()
    assert b"Sentencepiece" in (exported / "saved_model.pb").read_bytes()
    ids = run.tokenizers.source.encode(LINES[:1])[0]
    found = ids_model.run("serving_default", {"source": np.array([[*ids, EOS]], np.int32)})
    tokens = found["tokens"][0, : found["length"][0]]
    assert tokens[-1] == EOS
    assert found["degenerate"].tolist() == [translations[0].degenerate]
    assert run.protection.reveal(run.tokenizers.target.decode([tokens])[0], [], LINES[0]) == translations[0].text


def test_the_ids_endpoint_writes_each_symbol_as_often_as_the_source_has_it(ids_model):
    source = [FIRST_SYMBOL, FIRST_SYMBOL, 20, FIRST_SYMBOL + 7, EOS]
    found = ids_model.run("serving_default", {"source": np.array([source], np.int32)})
    symbols = range(FIRST_SYMBOL, FIRST_SYMBOL + len(SYMBOLS))
    written = [id_ for id_ in found["tokens"][0].tolist() if id_ in symbols]
    assert sorted(written) == [id_ for id_ in source if id_ in symbols]


def test_the_ids_endpoint_makes_nothing_of_nothing(ids_model):
    found = ids_model.run("serving_default", {"source": np.array([[EOS], [PAD]], np.int32)})
    assert found["tokens"].tolist() == [[EOS], [EOS]]
    assert not found["degenerate"].any()


@pytest.mark.parametrize("setting", ["search.n_best=2", "search.sampling=true"])
def test_settings_that_no_endpoint_has_are_refused(run, tmp_path, setting):
    with pytest.raises(ValueError, match=r"do nothing here.*export\.n_best"):
        export(run, tmp_path, config=override_config(run.config, [setting]))


def test_weights_are_stored_once(run, exported):
    stored = sum(path.stat().st_size for path in (exported / "variables").iterdir())
    weights = 4 * sum(array.size for array in run.load_weights("best").values())
    assert stored < 1.1 * weights + 20_000


@pytest.fixture(scope="module")
def next_version(run, exported) -> Path:
    """A second export beside a copy of the first: other settings of the export, a tag, not guarded, not calibrated."""
    config = override_config(run.config, STRICT)
    path = shutil.copytree(run.path, run.path.with_name("uncalibrated"))
    (path / "confidence.json").unlink()
    strict = Run(path, config, run.tokenizers)
    return export(strict, shutil.copytree(exported.parent, exported.parent.with_name("again")))


@pytest.fixture(scope="module")
def next_model(next_version) -> Iterator[SavedModel]:
    with closing(SavedModel(next_version, warm_up=False)) as model:
        yield model


def test_settings_of_the_export_can_be_changed(run, next_model):
    assert run.config.export.n_best == 4
    assert next_model.run("nbest", texts(LINES[:1]))["score"].shape == (1, 3)


def test_a_tag_is_before_every_chunk_as_on_the_command_line(run, next_model):
    search = run.config.search.model_copy(update={"guard": False, "tag": "old"})
    lines = [line for line in LINES if len(line) < 100]
    found = next_model.run("align", texts(lines))
    for row, expected in enumerate(load_translator([run], search=search, alignments=True).translate(lines)):
        assert found["translation"][row].decode() == expected.text
        shape = expected.alignment.shape
        np.testing.assert_allclose(found["alignment"][row][: shape[0], : shape[1]], expected.alignment, atol=1e-5)


def test_the_next_export_is_the_next_version_and_nothing_half_written_is_left(next_version):
    directory = next_version.parent
    assert next_version.name == "2"
    assert {path.name for path in directory.iterdir() if path.is_dir()} == {"1", "2", "ids"}
    assert {path.name for path in (directory / "ids").iterdir()} == {"1", "2"}


def test_a_line_over_the_limit_is_cut_and_says_so(next_model):
    found = next_model.run("serving_default", texts([b"red cat", LINES[-1]]))
    assert list(found["truncated"]) == [False, True]


@pytest.mark.parametrize("name", ["serving_default", "nbest", "align"])
def test_a_line_of_too_many_bytes_is_translated_like_what_is_kept_of_it(next_model, name):
    kept = ("red cat " + "é" * 46).encode()
    found = next_model.run(name, texts([kept, kept + b".", kept[:-2] + "猫 big dog".encode(), kept[:-2]]))
    assert list(found.pop("truncated")) == [False, True, True, False]
    for values in found.values():
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[2], values[3])


def test_an_export_of_a_run_that_is_neither_guarded_nor_calibrated_has_no_such_outputs(model, ids_model, next_model):
    thoughts = {"degenerate", "confidence"}
    for loaded, expected in ((model, thoughts), (next_model, set())):
        for name in ("serving_default", "nbest", "align"):
            assert loaded.signatures[name].outputs.keys() & thoughts == expected
    assert "degenerate" in ids_model.signatures["serving_default"].outputs
    with closing(SavedModel(next_model.directory.parent / "ids" / "2", warm_up=False)) as ids:
        assert "degenerate" not in ids.signatures["serving_default"].outputs


def test_every_signature_has_a_warm_up_request(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    records = tf.data.TFRecordDataset(str(exported / WARMUP_FILE)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    warmed = {log.predict_log.request.model_spec.signature_name for log in logs}
    assert warmed == {"serving_default", "nbest", "align", "glossary"}


def test_the_written_configs_name_the_model_and_can_be_parsed(run, exported):
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = (exported.parent / "models.config").read_text()
    configs = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    assert [config.name for config in configs] == [run.config.export.name, run.config.export.name + "-ids"]
    readme = (exported.parent / "README.md").read_text()
    assert str(exported.parent) in readme
    assert "$" not in readme
    assert "urls, emails, tags, placeholders, emoji, numbers" in readme


def test_the_export_needs_neither_this_package_nor_keras(next_model):
    """In a process of its own, as the server has neither."""
    program = f"""
import json, sys, numpy as np, tensorflow as tf, importlib.util, pathlib
package = pathlib.Path(importlib.util.find_spec("tensorflow_text").origin).parent
tf.load_op_library(str(package / "python/ops/_sentencepiece_tokenizer.so"))
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], {str(next_model.directory)!r})
    signature = meta.signature_def["serving_default"]
    fetch = signature.outputs["translation"].name
    found = session.run(fetch, {{signature.inputs["text"].name: np.array([b"red cat sees"], dtype=object)}})
print(json.dumps([found[0].decode(), "nmt" in sys.modules]))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    text, imported = json.loads(result.stdout.splitlines()[-1])
    assert not imported
    assert text == next_model.run("serving_default", texts([b"red cat sees"]))["translation"][0].decode()


def test_where_no_room_is_left_the_file_is_named_and_nothing_remains(run, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # bytes: less than the weights have
    try:
        with pytest.raises(OSError, match=r"File too large") as failure:
            export(run, tmp_path / "export")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path / "export") in str(failure.value)
    assert not (tmp_path / "export").exists()


@pytest.fixture(scope="module")
def onnx_export(run, tmp_path_factory) -> Path:
    config = override_config(run.config, ["export.onnx_precision=float32"])
    return export_onnx(run, tmp_path_factory.mktemp("onnx") / "export", config=config)


@pytest.fixture(scope="module")
def onnx_server(onnx_export) -> Iterator[Server]:
    with Server([model_config(onnx_export, name="onnx")], port=0, rest_api_port=0) as server:
        yield server


def by_rest(server: Server, path: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{server.rest_url}/v1/models/onnx{path}", data) as answer:
        return json.load(answer)


def assert_same_answers(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        array = np.array(found[name], None if value.dtype == object else value.dtype)
        assert array.shape == value.shape, name
        if value.dtype == np.float32:
            np.testing.assert_allclose(array, value, rtol=1e-4, atol=1e-4, err_msg=name)
        elif value.dtype == object:
            assert [text.decode(errors="replace") for text in value.flat] == list(array.flat), name
        else:
            assert array.tolist() == value.tolist(), name


@pytest.mark.parametrize("signature", ["serving_default", "nbest", "align", "glossary"])
def test_an_onnx_export_that_is_served_answers_as_the_saved_model(model, onnx_server, signature):
    inputs = texts(LINES[:-1] if signature == "align" else LINES)  # as JSON, all weights of the longest are many
    if signature == "glossary":
        own = [b"", b"red\tROT\nno entry\nred\tother", b"cat\tKatze\n# cat\tx"]
        inputs["glossary"] = np.array([own[place % 3] for place in range(len(LINES))], object)
    encoded = {name: [{"b64": base64.b64encode(line).decode()} for line in lines] for name, lines in inputs.items()}
    answer = by_rest(onnx_server, ":predict", {"signature_name": signature, "inputs": encoded})
    assert_same_answers(answer["outputs"], model.run(signature, inputs))


def test_an_onnx_export_says_of_its_signatures_what_the_saved_model_says(model, onnx_server):
    found = by_rest(onnx_server, "/metadata")["metadata"]["signature_def"]["signature_def"]
    expected = {name: signature.definition for name, signature in model.signatures.items() if signature.inputs}
    for definition in (*found.values(), *expected.values()):
        for tensor in (*definition["inputs"].values(), *definition["outputs"].values()):
            del tensor["name"]  # in the graph
    assert found == expected


def test_an_onnx_export_cuts_lines_where_the_saved_model_does(run, onnx_export, next_model):
    strict = override_config(run.config, STRICT)
    translator = onnx_translator(*open_onnx(onnx_export), search=strict.search)
    translator.calibration = None
    lines = [*LINES, "猫".encode() * 34, "猫".encode() * 33 + b"x", b"a" * 97 + "猫".encode(), b"\x80" * 200]
    found = TranslatorModel(translator, strict.export).run("serving_default", texts(lines))
    expected = next_model.run("serving_default", texts(lines))
    assert expected["truncated"].any()
    found["translation"] = [text.decode(errors="replace") for text in found["translation"]]
    assert_same_answers(found, expected)


def test_an_onnx_export_begins_no_search_after_the_deadline(onnx_export):
    model = TranslatorModel(onnx_translator(*open_onnx(onnx_export)), ExportConfig())
    with pytest.raises(ServingError, match="deadline"):
        model.run("serving_default", texts([b"red cat"]), timeout=0.0)
