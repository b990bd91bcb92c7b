"""Batching across requests: answers as if alone, fair shares, limits, and work that stops when nobody waits for it."""

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from serving_cases.make_fixtures import save

from nmt.exports.saved_model import SavedModel
from nmt.serving.batching import Batcher
from nmt.serving.batching_parameters import DEFAULT_BATCHING, BatchingParameters, read_batching_parameters
from nmt.serving.error import Overloaded, ServingError, StatusCode
from nmt.serving.joining import divisible

TEXT = tf.TensorSpec([None], tf.string, name="text")
IDS = tf.TensorSpec([None, None], tf.int32, name="source")


def reversed_text(text):
    backwards = tf.strings.reduce_join(tf.strings.unicode_split(text, "UTF-8")[:, ::-1], axis=-1)
    return {"translation": backwards, "score": -tf.cast(tf.strings.length(text), tf.float32)}


def letters(text):
    """As wide as the widest row."""
    return {"letters": tf.strings.unicode_split(text, "UTF-8").to_tensor("")}


def company(text):
    """How many rows the call had."""
    return {"rows": tf.fill(tf.shape(text), tf.size(text))}


def picky(text):
    with tf.control_dependencies([tf.debugging.assert_none_equal(text, "bad")]):
        return {"translation": tf.identity(text)}


def waiting(text):
    """Rows are paths: returns when there is a file at the first."""

    def absent(_):
        return tf.equal(tf.size(tf.io.matching_files(text[0])), 0)

    (rounds,) = tf.while_loop(absent, lambda rounds: (rounds + 1,), (0,))
    return {"translation": tf.fill(tf.shape(text), tf.strings.as_string(tf.minimum(rounds, 0)))}


def total(text):
    return {"total": tf.reduce_sum(tf.strings.length(text))}


def joined(text, glossary):
    return {"translation": tf.strings.join([text, glossary], "/")}


def doubled(source):
    return {"tokens": 2 * source, "length": tf.math.count_nonzero(source, axis=1, dtype=tf.int32)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model") / "1"
    functions = {each.__name__: each for each in (reversed_text, letters, company, picky, waiting, total)}
    signatures = {name: tf.function(each, input_signature=[TEXT]) for name, each in functions.items()}
    signatures["doubled"] = tf.function(doubled, input_signature=[IDS])
    signatures["joined"] = tf.function(
        joined, input_signature=[TEXT, tf.TensorSpec([None], tf.string, name="glossary")]
    )
    save(directory, signatures)
    model = SavedModel(directory, lanes=2)
    yield model
    model.close()


@contextlib.contextmanager
def batching(**parameters):
    batcher = Batcher(BatchingParameters(**{"num_batch_threads": 2, **parameters}), lambda batch, waited: None)
    try:
        yield batcher
    finally:
        batcher.close()


def strings(*texts):
    return np.array([text.encode() for text in texts], dtype=object)


def run(batcher, model, signature, rows, *, timeout=60.0, cancelled=None):
    inputs = as_inputs(model, signature, rows)
    return batcher.run(divisible(model, signature, inputs), inputs, timeout=timeout, cancelled=cancelled)


def as_inputs(model, signature, rows):
    """The same array for all inputs."""
    return dict.fromkeys(model.signatures[signature].inputs, rows)


def until(condition):
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.002)


@contextlib.contextmanager
def busy(batcher, model, path, *, lanes):
    """Threads of batching that work until the block ends."""
    with ThreadPoolExecutor(lanes) as pool:
        held = []
        for _ in range(lanes):
            held.append(pool.submit(run, batcher, model, "waiting", strings(str(path))))
            until(lambda: not sum(batcher.waiting().values()))
        try:
            yield
        finally:
            path.write_text("go on")
    for each in held:
        each.result()


def same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].dtype == second[name].dtype
        assert first[name].tolist() == second[name].tolist()


@pytest.mark.parametrize(
    "settings", [{}, {"max_batch_size": 5}, {"num_batch_threads": 1, "batch_timeout_micros": 2000}]
)
def test_requests_of_all_sizes_at_once_are_answered_as_if_alone(model, settings):
    draw = random.Random(1)
    requests = []
    for _ in range(60):
        rows = strings(*("ab c" * draw.randrange(40) + "ü" for _ in range(draw.choice([1, 1, 1, 7, 300]))))
        requests += [(signature, rows) for signature in ("reversed_text", "letters", "joined")]
        ids = [[draw.randrange(2, 9)] * draw.randrange(5) for _ in range(draw.randrange(1, 30))]
        padded = np.array([row + [0] * (5 - len(row)) for row in ids], np.int32)
        requests.append(("doubled", padded))
    draw.shuffle(requests)
    with batching(**settings) as batcher, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda request: run(batcher, model, *request), requests))
    for (signature, rows), answer in zip(requests, answers, strict=True):
        same(answer, model.run(signature, as_inputs(model, signature, rows)))


def test_requests_that_wait_at_the_same_time_are_one_call(model, tmp_path):
    with batching(num_batch_threads=1) as batcher, ThreadPoolExecutor(12) as clients:
        with busy(batcher, model, tmp_path / "go", lanes=1):
            asked = [clients.submit(run, batcher, model, "company", strings("a")) for _ in range(12)]
            until(lambda: batcher.waiting().get((model, "company")) == 12)
        assert [each.result()["rows"].tolist() for each in asked] == [[12]] * 12


def test_a_lone_request_does_not_wait_for_company(model):
    with batching() as batcher:
        assert run(batcher, model, "company", strings("a"))["rows"].tolist() == [1]


def test_a_batch_waits_for_company_as_long_as_it_is_told(model):
    settings = {"num_batch_threads": 1, "batch_timeout_micros": 60_000_000, "max_batch_size": 3}
    with batching(**settings) as batcher, ThreadPoolExecutor(3) as clients:
        found = list(clients.map(lambda _: run(batcher, model, "company", strings("a")), range(3)))
    assert [each["rows"].tolist() for each in found] == [[3]] * 3


def test_a_short_request_passes_large_ones(model, tmp_path):
    answered = []

    def ask(rows):
        run(batcher, model, "reversed_text", rows)
        answered.append(len(rows))

    with batching(num_batch_threads=1) as batcher, ThreadPoolExecutor(9) as clients:
        with busy(batcher, model, tmp_path / "go", lanes=1):
            for _ in range(8):
                clients.submit(ask, strings(*["a long line of text"] * 2000))
            until(lambda: batcher.waiting().get((model, "reversed_text")) == 16_000)
            short = clients.submit(ask, strings("short"))
            until(lambda: batcher.waiting().get((model, "reversed_text")) == 16_001)
        short.result()
    assert answered[0] == 1


def test_an_error_in_a_row_fails_its_own_request_only(model, tmp_path):
    with batching(num_batch_threads=1) as batcher, ThreadPoolExecutor(3) as clients:
        with busy(batcher, model, tmp_path / "go", lanes=1):
            asked = [clients.submit(run, batcher, model, "picky", strings(text)) for text in ("good", "bad", "fine")]
            until(lambda: batcher.waiting().get((model, "picky")) == 3)
        assert [asked[place].result()["translation"].tolist() for place in (0, 2)] == [[b"good"], [b"fine"]]
        with pytest.raises(tf.errors.InvalidArgumentError):
            asked[1].result()


def test_a_full_queue_refuses_at_once_and_takes_requests_again_afterwards(model, tmp_path):
    rows = strings("a", "b", "c")
    settings = {"num_batch_threads": 1, "max_batch_size": 2, "max_enqueued_batches": 2}
    with batching(**settings) as batcher, ThreadPoolExecutor(1) as clients:
        with busy(batcher, model, tmp_path / "go", lanes=1):
            first = clients.submit(run, batcher, model, "reversed_text", rows)
            until(lambda: batcher.waiting().get((model, "reversed_text")) == 3)
            with pytest.raises(Overloaded, match="queue to which this task was submitted is full") as refusal:
                run(batcher, model, "reversed_text", rows)
            assert (refusal.value.code, refusal.value.http_status) == (StatusCode.RESOURCE_EXHAUSTED, 503)
            with pytest.raises(ServingError, match="5 rows, its queue holds 4") as refusal:
                run(batcher, model, "reversed_text", strings(*"abcde"))
            assert refusal.value.code == StatusCode.INVALID_ARGUMENT
        same(first.result(), run(batcher, model, "reversed_text", rows))


def test_what_waits_for_a_client_that_is_gone_never_runs(model, tmp_path):
    gone = threading.Event()
    with batching(num_batch_threads=1) as batcher, ThreadPoolExecutor(1) as clients:
        with busy(batcher, model, tmp_path / "go", lanes=1):
            asked = clients.submit(
                run, batcher, model, "waiting", strings(str(tmp_path / "never")), cancelled=gone.is_set
            )
            until(lambda: batcher.waiting().get((model, "waiting")) == 1)
            gone.set()
            with pytest.raises(ServingError) as refusal:
                asked.result()
            assert refusal.value.code == StatusCode.CANCELLED
            assert batcher.waiting()[model, "waiting"] == 0
        run(batcher, model, "reversed_text", strings("the thread is free"))


def test_a_call_stops_when_the_deadline_of_its_last_request_is_over(model, tmp_path):
    with batching(num_batch_threads=1) as batcher:
        for _ in range(2):  # the thread is free again
            with pytest.raises((ServingError, tf.errors.DeadlineExceededError)):
                run(batcher, model, "waiting", strings(str(tmp_path / "never")), timeout=0.2)
        run(batcher, model, "reversed_text", strings("the thread is free"))


def test_calls_that_cannot_be_divided_by_row_are_left_as_they_are(model):
    assert divisible(model, "total", {"text": strings("a")}) is None
    assert divisible(model, "reversed_text", {"text": strings()}) is None
    assert divisible(model, "reversed_text", {"text": strings("a")[:, np.newaxis]}) is None
    assert divisible(model, "reversed_text", {"source": strings("a")}) is None
    assert divisible(model, "joined", {"text": strings("a", "b"), "glossary": strings("a")}) is None
    assert divisible(model, "nosuch", {"text": strings("a")}) is None


def test_the_file_of_batching_parameters_is_tensorflow_servings(tmp_path, caplog):
    path = tmp_path / "batching.config"
    path.write_text(
        "max_batch_size { value: 8 } # rows\nbatch_timeout_micros { value: 500 } pad_variable_length_inputs: true"
    )
    assert read_batching_parameters(path) == DEFAULT_BATCHING._replace(max_batch_size=8, batch_timeout_micros=500)
    assert "pad_variable_length_inputs is ignored" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 8", r"batching.config:1:"),
        ("\nmaximum_batch_size { value: 8 }", r"batching.config:2:1 .*no field named \"maximum_batch_size\""),
        ("max_batch_size { value: 0 }", "max_batch_size is 0, expected at least 1"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [8, 4]", r"must rise and end with max_batch_size = 8"),
    ],
)
def test_a_wrong_file_of_batching_parameters_is_refused_with_its_place(tmp_path, text, message):
    path = tmp_path / "batching.config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_batching_parameters(path)
