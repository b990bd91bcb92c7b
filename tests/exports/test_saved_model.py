"""Loading as TensorFlow Serving does: signatures, runs from many threads, time limits, warm-up, clear refusals."""

import importlib.util
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from sentencepiece import SentencePieceProcessor
from serving_cases.make_fixtures import FLOAT, VECTOR, save, save_echo, save_half_plus, signature
from serving_cases.text_model import ENGLISH, MAX_PIECES, export_text_model, train_tokenizer
from tensorflow_serving.apis import prediction_log_pb2

from nmt.exports.saved_model import WARMUP_FILE, SavedModel, TensorSpec


def strings(*texts):
    return np.array([text if isinstance(text, bytes) else text.encode() for text in texts], dtype=object)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(ENGLISH, vocabulary_size=60)


@pytest.fixture(scope="module")
def directory(tmp_path_factory, tokenizer):
    directory = tmp_path_factory.mktemp("models")
    save_echo(directory / "echo")
    save_half_plus(directory / "half", 2.0)
    export_text_model(tokenizer, directory, version=1)
    return directory


@pytest.fixture(scope="module")
def echo(directory):
    model = SavedModel(directory / "echo")
    yield model
    model.close()


@pytest.fixture(scope="module")
def text_model(directory):
    model = SavedModel(directory / "1")
    yield model
    model.close()


def test_signatures_tell_names_types_and_shapes(echo):
    called = echo.signatures["serving_default"]
    assert {name: spec[1:] for name, spec in called.inputs.items()} == {"text": ("string", (None,))}
    assert {name: spec.dtype for name, spec in called.outputs.items()} == {"translation": "string", "score": "float32"}
    assert echo.signatures["identity"].inputs["text"] == TensorSpec("identity_text:0", "string", None)


def test_a_run_gives_bytes_and_numbers_by_name(echo):
    outputs = echo.run("serving_default", {"text": strings("a\0b", "ü", b"\xff")})
    assert outputs["translation"].tolist() == [b"A\0B", "ü".encode(), b"\xff"]
    np.testing.assert_array_equal(outputs["score"], np.float32([-3, -2, -1]))


def test_a_scalar_stays_a_scalar(echo):
    assert echo.run("identity", {"text": np.array(b"a", dtype=object)})["out"].shape == ()


def test_a_text_model_has_the_vocabulary_of_its_own_file(text_model, tokenizer):
    processor = SentencePieceProcessor(model_proto=tokenizer)
    lines = [*ENGLISH[:3], "", "how are you " * 10]
    outputs = text_model.run("serving_default", {"text": strings(*lines)})
    lengths = [len(processor.encode(line)) for line in lines]
    np.testing.assert_array_equal(outputs["score"], np.float32([-length for length in lengths]))
    np.testing.assert_array_equal(outputs["truncated"], [length > MAX_PIECES for length in lengths])
    cut = [processor.decode(processor.encode(line)[:MAX_PIECES]).encode() for line in lines]
    assert outputs["translation"].tolist() == cut


def test_two_models_at_once_keep_their_own_variables_and_vocabularies(tmp_path, text_model, tokenizer):
    other = train_tokenizer(ENGLISH, vocabulary_size=35)
    export_text_model(other, tmp_path, version=1)
    model = SavedModel(tmp_path / "1")
    for each, vocabulary in ((model, other), (text_model, tokenizer), (model, other)):
        expected = -len(SentencePieceProcessor(model_proto=vocabulary).encode(ENGLISH[0]))
        assert each.run("serving_default", {"text": strings(ENGLISH[0])})["score"] == [expected]
    model.close()


def test_many_threads_may_run_at_once(text_model):
    alone = {line: text_model.run("serving_default", {"text": strings(line)})["score"] for line in ENGLISH[:3]}
    wrong = []

    def run(line):
        for _ in range(20):
            if text_model.run("serving_default", {"text": strings(line)})["score"] != alone[line]:
                wrong.append(line)

    threads = [threading.Thread(target=run, args=(line,)) for line in ENGLISH[:3] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"takes inputs \['text'\], got \[\]"),
        ({"text": strings("a"), "more": strings("a")}, r"got \['more', 'text'\]"),
        ({"text": np.float32([1])}, "text expects string but float32 is provided"),
        ({"text": np.array([[b"a"]], dtype=object)}, r"shape \(1, 1\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(echo, inputs, message):
    with pytest.raises(ValueError, match=message):
        echo.run("serving_default", inputs)


def test_a_run_past_its_time_limit_ends(tmp_path):
    def count(x):
        (counted,) = tf.while_loop(lambda n: n < x[0], lambda n: (n + 1.0,), (0.0,))
        return {"y": tf.reshape(counted, [1])}

    save(tmp_path, {"serving_default": signature(count, x=(FLOAT, VECTOR))})
    model = SavedModel(tmp_path)
    with pytest.raises(tf.errors.DeadlineExceededError):
        model.run("serving_default", {"x": np.float32([1e6])}, timeout=0.1)
    assert model.run("serving_default", {"x": np.float32([5])}, timeout=60)["y"] == [5]
    model.close()


def test_an_input_with_a_default_may_be_left_out(tmp_path):
    by_default = tf.constant(3.0)

    class Scale(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.float32, name="x"), tf.TensorSpec([], tf.float32, name="by")]
        )
        def scale(self, x, by=by_default):
            return {"y": x * by}

    module = Scale()
    tf.saved_model.save(module, str(tmp_path), signatures=module.scale)
    model = SavedModel(tmp_path)
    assert model.run("serving_default", {"x": np.float32([2])})["y"] == [2 * 3]
    assert model.run("serving_default", {"x": np.float32([2]), "by": np.float32(5)})["y"] == [2 * 5]
    model.close()


def write_warmup(directory, *, signature_name, value):
    path = directory / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature_name
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(value))
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())


def test_warm_up_requests_run_at_load_and_one_that_fails_fails_the_load(tmp_path):
    save_half_plus(tmp_path, 2.0)
    write_warmup(tmp_path, signature_name="", value=np.float32([1]))
    SavedModel(tmp_path).close()
    for signature_name, value in (("nosuch", np.float32([1])), ("serving_default", "a string")):
        write_warmup(tmp_path, signature_name=signature_name, value=value)
        with pytest.raises(ValueError, match="the model does not load"):
            SavedModel(tmp_path)
    (tmp_path / WARMUP_FILE).write_bytes(b"not a record file")
    with pytest.raises(ValueError, match="the model does not load"):
        SavedModel(tmp_path)


def test_what_is_no_saved_model_is_refused_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}: no SavedModel here"):
        SavedModel(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff not a protobuf")
    with pytest.raises(ValueError, match="the model does not load"):
        SavedModel(tmp_path)


def test_damaged_weights_are_refused_at_load(tmp_path):
    class Weighted(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight = tf.Variable([1.0, 2.0])

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32, name="x")])
        def scale(self, x):
            return {"y": self.weight * x}

    module = Weighted()
    tf.saved_model.save(module, str(tmp_path), signatures=module.scale)
    next((tmp_path / "variables").glob("*.data*")).unlink()
    with pytest.raises(ValueError, match="the model does not load"):
        SavedModel(tmp_path)


def test_without_tensorflow_text_only_a_text_model_needs_it(directory, tmp_path):
    """In a process of its own, where the package cannot be found and its ops are not registered yet."""
    code = f"""
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "tensorflow_text" else find(name, *rest)
from nmt.exports.saved_model import SavedModel
SavedModel({str(directory / "half")!r}).close()
try:
    SavedModel({str(directory / "1")!r})
except ValueError as error:
    print(error)
"""
    assert importlib.util.find_spec("tensorflow_text")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install tensorflow-text" in done.stdout
