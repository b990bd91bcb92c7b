import csv
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_job import tiny_job

from nmt.config.training import OptimizerConfig, TrainingConfig
from nmt.data import preparer
from nmt.data.batches import Batch, make_batch
from nmt.model.losses import token_log_probabilities
from nmt.runs.run import Run
from nmt.text.files import read_pairs
from nmt.text.metrics import score
from nmt.training import loop
from nmt.training.distribution import distributed_dataset
from nmt.training.interrupted import Interrupted
from nmt.training.loop import _Interval, _latest
from nmt.training.optimizer import make_optimizer, move_average
from nmt.training.progress import Progress
from nmt.training.step import TrainState, TrainStep
from nmt.training.train import train
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator

# Everything that has a state of its own, all at once.
EVERYTHING = (
    "tokenizer.sampling_alpha=0.5",
    "model.dropout.recurrent=0.1",
    "training.accumulate_batches=2",
    "training.ema_decay=0.9",
    "training.average_checkpoints=2",
    "training.schedule={name: plateau, patience: 1, warmup_steps: 4}",
    "training.validate_every=6",
    "training.max_steps=17",
)


class Recorder(keras.callbacks.Callback):
    """Every call, in order, and the logs of each kind's last one."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.logs = {}

    def _record(self, name, *arguments):
        self.calls.append(name)
        self.logs[name] = dict(arguments[-1] or {})

    def __getattribute__(self, name):
        if name.startswith("on_") and "predict" not in name:
            return lambda *arguments, **named: self._record(name, *arguments, *named.values())
        return super().__getattribute__(name)


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    """One whole training with all that has a state: its run, what its callbacks saw, its trace count."""
    recorder = Recorder()
    folder = tmp_path_factory.mktemp("whole")
    config = tiny_job(corpus, f"run={folder}/run", *EVERYTHING)
    return train(config, callbacks=[recorder]), recorder


def events(run, name):
    lines = map(json.loads, (run.path / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == name]


def assert_same_end(run, other):
    one, two = run.latest_checkpoint(), other.latest_checkpoint()
    assert one.step == two.step
    assert one.arrays.keys() == two.arrays.keys()
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], two.arrays[name], name)
    for name, best in run.load_weights("best").items():
        np.testing.assert_array_equal(best, other.load_weights("best")[name], name)
    for name in one.progress.keys() - {"seconds", "cpu_seconds"}:
        assert one.progress[name] == two.progress[name], name
    assert [scored(event) for event in validations(run)] == [scored(event) for event in validations(other)]


def validations(run):
    """By step: a killed training may have logged one that it came to again."""
    return sorted(
        {event["step"]: event for event in events(run, "validation")}.values(), key=lambda event: event["step"]
    )


def scored(event):
    return [event[name] for name in ("step", "loss", "perplexity", "bleu", "chrf", "best")]


# --- Exact resume ---


def killed(corpus, settings, run):
    """A training in a process of its own, killed at a random moment after its first checkpoint, while other processes
    prepare its next epoch.
    """
    program = (
        "import sys; from pathlib import Path; from tiny_job import tiny_job; from nmt.training.train import train;"
        "import nmt.data.preparer; nmt.data.preparer._FEW_PAIRS = 0; train(tiny_job(Path(sys.argv[1]), *sys.argv[2:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(corpus), *settings],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not list((run / "checkpoints").glob("*.npz")):
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 0.5))
    process.kill()
    return process.wait()


def test_killed_and_stopped_by_signals_it_ends_with_the_same_bits(corpus, uninterrupted, tmp_path):
    run, _ = uninterrupted
    settings = (f"run={tmp_path}/run", *EVERYTHING)
    assert killed(corpus, [*settings, "training.save_minutes=0.0001"], tmp_path / "run") == -signal.SIGKILL
    steps = [Run.open(tmp_path / "run").latest_checkpoint().step]
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    config = tiny_job(corpus, *settings)
    batches = []

    def send(batch, logs):
        batches.append(batch)
        if len(batches) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match=r"stopped by SIGTERM.*continues it") as stopped:
        train(config, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=send)])
    assert stopped.value.signal == signal.SIGTERM
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    steps.append(Run.open(config.run).latest_checkpoint().step)
    assert 0 < steps[0] < steps[1] == steps[0] + 2 < 17
    assert_same_end(train(config), run)


def test_each_epoch_is_opened_once_before_the_one_before_it_ends_and_that_changes_no_bit(corpus, tmp_path, monkeypatch):
    recorder, opened = Recorder(), []

    def opening(*arguments, epoch, **named):
        opened.append((epoch, recorder.calls.count("on_epoch_end"), recorder.calls.count("on_train_batch_end")))
        return distributed_dataset(*arguments, epoch=epoch, **named)

    def trained(name, ahead):
        monkeypatch.setattr(loop, "_AHEAD_STEPS", ahead)
        settings = ("protect=[]", "training.max_epochs=3", "training.max_steps=null")
        return train(tiny_job(corpus, f"run={tmp_path}/{name}", *settings), callbacks=[recorder])

    one = trained("one", -1)  # after the last step
    monkeypatch.setattr(loop, "distributed_dataset", opening)
    recorder.calls.clear()
    other = trained("other", 2)
    batches = other.latest_checkpoint().progress["batches_per_epoch"]
    assert opened == [(0, 0, 0), (1, 0, batches - 1), (2, 1, 2 * batches - 1)]
    assert_same_end(one, other)


def test_what_keeps_the_next_epoch_from_being_prepared_is_told_when_this_one_is_saved(corpus, tmp_path, monkeypatch):
    processes = []

    def starting():
        processes.append(start())
        return processes[-1]

    def kill(batch, logs):
        for process in processes:
            process.kill()
            process.wait()

    start = preparer._start
    monkeypatch.setattr(preparer, "_start", starting)
    monkeypatch.setattr(preparer, "_FEW_PAIRS", 0)
    config = tiny_job(corpus, f"run={tmp_path}/run", "tokenizer.sampling_alpha=0.5")
    with pytest.raises(ValueError, match="has ended"):
        train(config, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=kill)])
    progress = Run.open(config.run).latest_checkpoint().progress
    assert (progress["epoch"], progress["step"]) == (1, progress["batches_per_epoch"])


def test_a_terminal_that_closes_saves_the_run(corpus, tmp_path):
    config = tiny_job(corpus, f"run={tmp_path}/run", "training.max_steps=50")
    hang_up = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        with pytest.raises(Interrupted, match="stopped by SIGHUP"):
            train(config, callbacks=[hang_up])
        assert Run.open(config.run).latest_step() == 1
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` starts a process
        most = tiny_job(corpus, f"run={tmp_path}/run", "training.max_steps=3")
        assert train(most, callbacks=[hang_up]).latest_step() == 3
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_resumed_training_names_the_files_that_have_changed(corpus, tmp_path, capsys):
    for file in corpus.glob("*.*"):
        shutil.copy(file, tmp_path)
    train(tiny_job(tmp_path, "training.max_steps=1"))
    train(tiny_job(tmp_path, "training.max_steps=2"))
    assert "has changed" not in capsys.readouterr().err
    lines = (tmp_path / "train.xx").read_text().splitlines()
    (tmp_path / "train.xx").write_text("\n".join([*lines[1:], lines[0]]) + "\n")
    with open(tmp_path / "valid.en", "a") as source, open(tmp_path / "valid.xx", "a") as target:
        print("cat", file=source)
        print("tac", file=target)
    train(tiny_job(tmp_path, "training.max_steps=3"))
    said = capsys.readouterr().err
    assert f"data.train[0].target: {tmp_path}/train.xx has changed since" in said
    assert "bytes as before, but not the same" in said
    assert f"data.validation.source: {tmp_path}/valid.en has changed" in said
    assert "train.en" not in said.replace("has changed", "").split("trained on")[0]


def test_a_vocabulary_smaller_than_wanted_is_said(corpus, tmp_path, capsys):
    settings = ["tokenizer.vocabulary_size=500", "tokenizer.hard_vocabulary_limit=false", "training.max_steps=1"]
    run = train(tiny_job(corpus, f"run={tmp_path}/run", *settings))
    assert (
        f"The source vocabulary has {run.tokenizers.source.vocabulary_size} pieces, not the 500"
        in capsys.readouterr().err
    )


def test_what_is_shown_covers_as_many_steps_at_the_end_of_an_epoch_as_within():
    ten, one = _Interval(10, 30.0, 100.0, 5.0), _Interval(1, 4.0, 2.0, 0.5)
    assert _latest([one]) == [one]
    assert _latest([ten, one]) == [ten, one]
    assert _latest([ten, ten, one]) == [ten, one]
    assert _latest([one, ten]) == [ten]


def test_a_finished_training_says_so_and_changes_nothing(uninterrupted, capsys):
    run, _ = uninterrupted
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*")}
    train(run.config)
    assert "already trained to its end: training.max_steps (17) reached" in capsys.readouterr().err
    assert before == {file: file.stat().st_mtime_ns for file in run.path.rglob("*")}


# --- What a training does and says ---


def test_callbacks_are_called_as_keras_calls_them(uninterrupted):
    _, recorder = uninterrupted
    assert recorder.calls[:3] == ["on_train_begin", "on_epoch_begin", "on_train_batch_begin"]
    assert recorder.calls[-1] == "on_train_end"
    assert recorder.calls.count("on_train_batch_begin") == recorder.calls.count("on_train_batch_end") == 17
    assert recorder.calls.count("on_test_begin") == recorder.calls.count("on_test_end") == 3
    assert recorder.calls.count("on_epoch_end") == recorder.calls.count("on_epoch_begin") - 1 >= 1
    epoch = recorder.logs["on_epoch_end"]
    assert epoch.keys() == {"loss", "learning_rate", "val_loss", "val_perplexity", "val_bleu", "val_chrf"}


def test_the_log_tells_the_training_in_json_lines(uninterrupted):
    run, _ = uninterrupted
    steps = events(run, "train")
    assert all(0 < event["loss"] < 10 and event["tokens_per_second"] > 0 for event in steps)
    assert [event["step"] for event in events(run, "validation")] == [6, 12, 17]
    assert all(event["perplexity"] == pytest.approx(math.exp(event["loss"])) for event in validations(run))
    [data] = events(run, "data")
    assert data["corpora"][0]["pairs"] == 150


def test_best_holds_the_weights_whose_validation_was_logged(uninterrupted):
    run, _ = uninterrupted
    progress = Progress(**run.latest_checkpoint().progress)
    tried = [*events(run, "validation"), *events(run, "average")]
    assert progress.best_score == max(event["bleu"] for event in tried)
    [best] = [event for event in tried if event["bleu"] == progress.best_score and event["best"]][-1:]
    search = run.config.search.model_copy(update={"beam_size": 1})
    translator = Translator(ModelEngine([run.load_model("best")]), run.tokenizers, search, protection=run.protection)
    sources, references = zip(*read_pairs(run.config.data.validation), strict=True)
    scores = score([translation.text for translation in translator.translate(sources)], references)
    assert (scores.bleu.value, scores.chrf.value) == (best["bleu"], best["chrf"])
    log_probabilities = np.concatenate(translator.score(sources, references))
    assert best["loss"] == pytest.approx(-log_probabilities.mean(), rel=1e-6)


def test_the_average_of_the_last_validations_is_tried(uninterrupted):
    run, _ = uninterrupted
    [average] = events(run, "average")
    assert average["of"] == [12, 17]
    assert [file.name for file in sorted((run.path / "validations").iterdir())] == [
        "step-00000012.npz",
        "step-00000017.npz",
    ]
    if average["best"]:
        best, one, two = (run.load_weights(name) for name in ("best", 12, 17))
        for name in best:
            np.testing.assert_allclose(best[name], (one[name] + two[name]) / 2, rtol=1e-6)


def test_a_run_is_taken_further_with_the_users_keras_callbacks(corpus, uninterrupted, tmp_path, capsys):
    """EarlyStopping and CSVLogger: neither knows of this package."""
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=1e9, patience=1)
    table = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    config = tiny_job(corpus, f"run={tmp_path}/run", "training.tensorboard=true")
    run = train(config, callbacks=[stop, table])
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(float(row["val_perplexity"]) > 1 for row in rows)
    assert run.latest_checkpoint().progress["epoch"] == 2
    assert list((run.path / "tensorboard").iterdir())
    said = capsys.readouterr().err
    assert "Trained: stopped by a callback." in said
    for command in ("translate", "evaluate", "export"):
        assert f"nmt {command} {run.path}" in said


def test_a_run_that_ended_with_an_epoch_goes_on_as_if_it_had_not(corpus, tmp_path):
    settings = ["training.max_steps=null", "training.validate_every=null", "training.average_checkpoints=3"]
    for folder, epochs in (("whole", [2]), ("parts", [1, 2])):
        for most in epochs:
            run = train(tiny_job(corpus, f"run={tmp_path}/{folder}", *settings, f"training.max_epochs={most}"))
        found = [event["of"] for event in events(run, "average")][-1]
        assert len(found) == len(set(found)) == 2
        assert len(events(run, "validation")) == 2


def test_a_loss_that_is_no_number_stops_with_what_to_try(corpus, tmp_path):
    config = tiny_job(
        corpus,
        f"run={tmp_path}/run",
        "training.optimizer={name: sgd, clip_norm: null}",
        "training.schedule={name: constant, learning_rate: 1.0e+30, warmup_steps: 0}",
    )
    with pytest.raises(ValueError, match=r"diverged: the loss is .* at step \d+, learning rate 1e\+30; there is no ch"):
        train(config)
    assert Run.open(config.run).latest_checkpoint() is None


def test_files_that_cannot_be_trained_on_are_refused_before_anything_is_made(corpus, tmp_path):
    config = tiny_job(corpus, f"run={tmp_path}/run", f"data.validation.target={corpus}/train.xx")
    with pytest.raises(ValueError, match="150"):
        train(config)
    assert not (tmp_path / "run").exists()


def test_a_run_starts_from_anothers_best_weights_and_pieces(corpus, uninterrupted, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(uninterrupted[0].path, base)
    other = tmp_path / "other"
    other.mkdir()
    # Of these lines alone other pieces would be learned.
    (other / "train.en").write_text("a big old tree\n" * 20)
    (other / "train.xx").write_text("a gib dlo eert\n" * 20)
    settings = (
        f"run={tmp_path}/run",
        f"training.start_from={base}",
        f"data.train=[{{source: {other}/train.en, target: {other}/train.xx}}]",
        "model.dropout.recurrent=0",
        "training.ema_decay=0.5",
        "training.schedule={name: constant, warmup_steps: 0, learning_rate: 1.0e-9}",
    )
    run = train(tiny_job(corpus, *settings, "training.max_steps=1"))
    assert f"Starting from the best weights of {base}" in capsys.readouterr().err
    for name in ("source.model", "target.model"):
        assert (run.path / "tokenizer" / name).read_bytes() == (base / "tokenizer" / name).read_bytes()
    best = uninterrupted[0].load_weights("best")
    checkpoint = run.latest_checkpoint()
    for name, weights in best.items():
        for kind in ("model", "average"):
            np.testing.assert_allclose(checkpoint.arrays[f"{kind}/{name}"], weights, atol=1e-7)
    # Once begun it needs the other run no more, and goes on from where it was.
    shutil.rmtree(base)
    again = train(tiny_job(corpus, *settings, "training.max_steps=2"))
    assert again.latest_checkpoint().step == 2


def test_a_run_takes_anothers_pieces_and_not_its_weights(corpus, uninterrupted, tmp_path):
    base = uninterrupted[0].path
    changed = (
        "model.units=16",
        "tokenizer.sampling_alpha=0.0",
        f"data.train=[{{source: {corpus}/valid.en, target: {corpus}/valid.xx}}]",
    )
    run = train(tiny_job(corpus, f"run={tmp_path}/run", f"tokenizer.from_run={base}", "training.max_steps=1", *changed))
    for name in ("source.model", "target.model"):
        assert (run.path / "tokenizer" / name).read_bytes() == (base / "tokenizer" / name).read_bytes()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("model.units=16", "model.units: 16, but .*, which training.start_from names, has 8"),
        ("tokenizer.vocabulary_size=50", "tokenizer.vocabulary_size: 50, but"),
        ("training.start_from=nowhere", "training.start_from: .*nowhere"),
        ("tokenizer.from_run=nowhere", "tokenizer.from_run: .*nowhere"),
    ],
)
def test_a_run_to_start_from_that_does_not_fit_is_refused(corpus, uninterrupted, tmp_path, setting, complaint):
    config = tiny_job(corpus, f"run={tmp_path}/run", f"training.start_from={uninterrupted[0].path}", setting)
    with pytest.raises(ValueError, match=complaint):
        train(config)
    assert not (tmp_path / "run").exists()


def test_a_wrong_argument_of_the_optimizer_is_refused_before_anything_is_made(corpus, tmp_path):
    wrong = "training.optimizer={name: sgd, arguments: {momentum: 2.0}}"
    with pytest.raises(ValueError, match=r"training\.optimizer\.arguments: .*momentum"):
        train(tiny_job(corpus, f"run={tmp_path}/run", wrong))
    assert not (tmp_path / "run").exists()


def test_a_corpus_of_which_nothing_is_left_is_an_error_in_words(corpus, tmp_path):
    for side in ("en", "xx"):
        lines = (corpus / f"train.{side}").read_text().splitlines()
        (tmp_path / f"long.{side}").write_text("".join(f"{line}\n" for line in lines if line.count(" ") > 2))
    train_on_long = f"data.train=[{{source: {tmp_path}/long.en, target: {tmp_path}/long.xx}}]"
    with pytest.raises(ValueError, match=r"^data\.train: no pair to train on:\ncorpus.*\n.*long\.en +0 .* 0$"):
        train(tiny_job(corpus, f"run={tmp_path}/run", train_on_long, "data.max_length=2"))


# --- One step ---


@pytest.fixture(scope="module")
def pairs(corpus, tokenizers):
    sources = tokenizers.source.encode((corpus / "train.en").read_text().splitlines()[:12])
    targets = tokenizers.target.encode((corpus / "train.xx").read_text().splitlines()[:12])
    return list(zip(sources, targets, strict=True))


def batch_of(pairs):
    return make_batch(*zip(*pairs, strict=True))


def new_step(corpus, tokenizers, *settings):
    no_dropout = "model.dropout={embedding: 0, layers: 0, output: 0}"
    config = tiny_job(corpus, no_dropout, "training.label_smoothing=0", *settings)
    state = TrainState(config, tokenizers, precision="float32")
    step = TrainStep(state, config, tf.distribute.get_strategy())
    step.compile(Batch(*[tf.TensorSpec([None, None], tf.int32)] * 3))
    return state, step


@pytest.fixture(scope="module")
def plain(corpus, tokenizers):
    """The plainest step: SGD without clipping; and the arrays it began with."""
    settings = ("training.optimizer={name: sgd, clip_norm: null}", "training.ema_decay=0.3")
    state, step = new_step(corpus, tokenizers, *settings)
    return state, step, state.arrays()


def weights_of(state):
    return {weight.path: weight.numpy() for weight in state.model.weights}


def test_a_step_goes_down_the_gradient_of_the_mean_token_loss(plain, pairs):
    state, step, arrays = plain
    state.restore(arrays)
    batch = batch_of(pairs)
    weights = state.model.trainable_weights
    with tf.GradientTape() as tape:
        log_probabilities = token_log_probabilities(state.model(batch.source, batch.target_in), batch.target_out)
        loss = -tf.reduce_sum(log_probabilities) / np.count_nonzero(batch.target_out)
    gradients = [
        tf.convert_to_tensor(each).numpy() for each in tape.gradient(loss, [weight.value for weight in weights])
    ]
    result = step([batch], 0.5)
    assert float(result.loss / result.tokens) == pytest.approx(float(loss), rel=1e-5)
    assert float(result.gradient_norm) == pytest.approx(math.sqrt(sum(np.sum(each**2) for each in gradients)), rel=1e-5)
    for weight, gradient in zip(weights, gradients, strict=True):
        expected = arrays[f"model/{weight.path}"] - 0.5 * gradient
        np.testing.assert_allclose(weight.numpy(), expected, atol=1e-6, err_msg=weight.path)


def test_the_moving_average_is_that_of_the_weights_after_each_step(plain, pairs):
    state, step, arrays = plain
    state.restore(arrays)
    expected = state.weights()
    for number in range(1, 5):
        step([batch_of(pairs)], 0.5)
        decay = min(0.3, (1 + number) / (10 + number))
        weights = weights_of(state)
        expected = {name: decay * average + (1 - decay) * weights[name] for name, average in expected.items()}
    for name, average in state.weights().items():
        np.testing.assert_allclose(average, expected[name], atol=1e-6, err_msg=name)


def test_batches_of_all_lengths_share_one_trace(plain, pairs):
    _, step, _ = plain
    for size in (1, 2, 5, 12):
        step([batch_of(pairs[:size])], 0.1)
    assert step.num_traces == 1


def test_accumulated_batches_are_one_large_batch_and_clipped_as_one(plain, corpus, tokenizers, pairs):
    state, step, arrays = plain
    state.restore(arrays)
    whole = step([batch_of(pairs)], 1.0)
    norm = float(whole.gradient_norm)
    clip = f"training.optimizer={{name: sgd, clip_norm: {norm / 4}}}"
    parts_state, parts_step = new_step(
        corpus, tokenizers, clip, "training.accumulate_batches=3", "training.ema_decay=0.3"
    )
    for _ in range(2):  # the second time shows that nothing is left over from the first
        parts_state.restore(arrays)
        result = parts_step([batch_of(part) for part in (pairs[:2], pairs[2:9], pairs[9:])], 1.0)
        assert [float(value) for value in result] == pytest.approx([float(value) for value in whole], rel=1e-5)
        for name, weight in weights_of(parts_state).items():
            begin = arrays[f"model/{name}"]
            moved = weights_of(state)[name] - begin
            np.testing.assert_allclose(weight - begin, moved / 4, atol=1e-6, err_msg=name)


def test_a_checkpoint_of_another_training_is_refused(plain):
    state, _, arrays = plain
    with pytest.raises(ValueError, match="of another training: 'average/"):
        state.restore({name: array for name, array in arrays.items() if not name.startswith("average/")})


OPTIMIZERS = ["adam", "adamw", "nadam", "adafactor", "rmsprop", "sgd", "lion"]


@pytest.fixture
def eagerly():
    """Without graphs, for what a step does and not how it is compiled: tracing one takes seconds."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_checkpoint_holds_all_that_an_optimizer_keeps(corpus, tokenizers, pairs, name):
    state, step = new_step(corpus, tokenizers, f"training.optimizer.name={name}")
    step([batch_of(pairs)], 0.01)
    kept = [variable.numpy() for variable in state.optimizer.variables]
    arrays = state.arrays()
    step([batch_of(pairs)], 0.01)
    state.restore(arrays)
    for variable, value in zip(state.optimizer.variables, kept, strict=True):
        np.testing.assert_array_equal(variable, value, variable.path)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_moves_weights_downhill(name):
    optimizer = make_optimizer(OptimizerConfig(name=name))
    weight = keras.Variable([1.0, -2.0])
    optimizer.build([weight])
    optimizer.learning_rate = 0.01
    for _ in range(3):
        optimizer.apply([weight.value], [weight])
    assert np.all(np.abs(weight.numpy()) < [1.0, 2.0])


@pytest.mark.parametrize(("name", "keras_class"), [("adam", keras.optimizers.Adam), ("adamw", keras.optimizers.AdamW)])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_one_pass_updates_are_those_of_keras(name, keras_class, amsgrad):
    arguments = {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "amsgrad": amsgrad}
    gradients = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    results = []
    for optimizer in (make_optimizer(OptimizerConfig(name=name, arguments=arguments)), keras_class(**arguments)):
        weight = keras.Variable([1.0, -2.0, 3.0, 0.0])
        optimizer.build([weight])
        for step, gradient in enumerate(gradients):
            optimizer.learning_rate = 0.1 / (step + 1)
            optimizer.apply([tf.constant(gradient)], [weight])
        results.append([variable.numpy() for variable in (weight, *optimizer.variables)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("decay", [1e-3, 0.18, 0.9, 0.9999])
def test_a_moving_average_is_its_formula(decay):
    values = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    average, expected = tf.Variable(tf.zeros(4)), np.zeros(4)
    for value in values:
        move_average(average, tf.constant(value), tf.constant(decay))
        expected = decay * expected + (1.0 - decay) * value
    np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-6)


def test_optimizer_arguments_reach_keras_and_others_are_refused():
    assert make_optimizer(OptimizerConfig(name="adam", arguments={"beta_2": 0.5})).beta_2 == 0.5
    with pytest.raises(ValueError, match=r"arguments\.beta_3: keras\.optimizers\.Adam has no such.*beta_1, beta_2"):
        make_optimizer(OptimizerConfig(name="adam", arguments={"beta_3": 0.5}))
    with pytest.raises(ValueError, match=r"arguments\.learning_rate: is set by training\.schedule\.learning_rate"):
        make_optimizer(OptimizerConfig(name="adam", arguments={"learning_rate": 0.5}))


# --- What the loop decides by ---


def judged(scores, **settings):
    """Whether each validation was the best so far; the progress after them."""
    training = TrainingConfig(metric="loss", **settings)
    progress = Progress(precision="float32")
    best = []
    for number, loss in enumerate(scores, start=1):
        progress.step = number
        best.append(progress.judge({"loss": loss, "bleu": -loss}, training))
    return best, progress, progress.end(training)


def test_the_best_validation_is_the_lowest_loss_or_the_highest_score():
    assert judged([3.0, 2.0, 2.0, 2.5, 1.0])[0] == [True, True, False, False, True]
    progress = Progress(precision="float32")
    training = TrainingConfig(metric="bleu")
    assert [progress.judge({"bleu": bleu, "loss": 1.0}, training) for bleu in (1.0, 2.0, 1.5)] == [True, True, False]
    assert (progress.best_score, progress.stale_validations) == (2.0, 1)
    assert not progress.judge({"bleu": math.nan, "loss": 1.0}, training)


def test_of_equal_scores_the_lower_loss_is_the_better():
    progress, training = Progress(precision="float32"), TrainingConfig(metric="bleu")
    assert [progress.judge({"bleu": 0.0, "loss": loss}, training) for loss in (5.0, 4.0, 4.0, 4.5, 3.0)] == [
        *(True, True, False, False, True)
    ]
    assert progress.stale_validations == 0


def test_patience_counts_validations_since_the_best():
    assert judged([3.0, 4.0, 2.0, 4.0], patience=2)[2] is None
    assert "no better loss in 2 validations" in judged([3.0, 4.0, 2.0, 4.0, 4.0], patience=2)[2]
    assert judged([3.0] * 50)[2] is None


def test_a_plateau_lowers_the_learning_rate_again_and_again():
    plateau = {"name": "plateau", "patience": 2, "factor": 0.5}
    factors = [judged([3.0, *[4.0] * stale], schedule=plateau)[1].factor for stale in range(7)]
    assert factors == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_each_limit_ends_training_and_says_which():
    for settings, reached in (
        ({"max_steps": 10}, {"step": 10}),
        ({"max_epochs": 3}, {"epoch": 3}),
        ({"max_minutes": 2.0}, {"seconds": 120.0}),
    ):
        training = TrainingConfig(**{"max_epochs": None, **settings})
        [name] = settings
        assert Progress(precision="float32").end(training) is None
        assert f"training.{name}" in Progress(precision="float32", **reached).end(training)
        assert Progress(precision="float32", **reached).share_done(training) == 1.0
