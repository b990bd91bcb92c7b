import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from tiny_job import tiny_job

from nmt.runs.files import DamagedFileError, load_arrays, save_arrays
from nmt.runs.lock import trained_alone
from nmt.runs.run import Checkpoint, Run

ARRAYS = {"model/a": np.arange(6, dtype=np.float32).reshape(2, 3), "seed/0": np.array([7, 1])}


@pytest.fixture
def job(corpus, tmp_path):
    return lambda *settings: tiny_job(corpus, f"run={tmp_path}/runs/one", *settings)


@pytest.fixture
def run(job, tokenizers):
    return Run.create(job(), tokenizers)


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def test_a_run_reads_back_as_it_was_made(run, job, tokenizers):
    opened = Run.open(run.path)
    assert opened.config == job()
    assert [tokenizer.model for tokenizer in opened.tokenizers] == [tokenizer.model for tokenizer in tokenizers]


def test_a_run_can_be_moved_anywhere(run, tmp_path):
    run.save_checkpoint(3, ARRAYS, {"step": 3})
    shutil.move(run.path, tmp_path / "elsewhere")
    assert same(Run.open(tmp_path / "elsewhere").latest_checkpoint().arrays, ARRAYS)


def test_a_checkpoint_reads_back_exactly(run):
    progress = {"step": 1200, "best_score": 1 / 3, "kept": [400, 800], "best_step": None}
    run.save_checkpoint(1200, ARRAYS, progress)
    step, arrays, read_progress = run.latest_checkpoint()
    assert (step, read_progress) == (1200, progress)
    assert same(arrays, ARRAYS)


def test_a_checkpoint_has_the_weights_of_the_average_where_there_is_one():
    plain = Checkpoint(1, {"model/a": np.ones(2), "optimizer/a": np.ones(2)}, {})
    averaged = Checkpoint(1, {**plain.arrays, "average/a": np.zeros(2)}, {})
    assert same(plain.weights(), {"a": np.ones(2)})
    assert same(averaged.weights(), {"a": np.zeros(2)})


def test_only_the_newest_checkpoints_are_kept(job, tokenizers):
    run = Run.create(job("training.keep_checkpoints=3"), tokenizers)
    for step in (5, 10, 15, 20, 25):
        run.save_checkpoint(step, ARRAYS, {})
    names = sorted(file.name for file in (run.path / "checkpoints").iterdir())
    assert names == ["step-00000015.npz", "step-00000020.npz", "step-00000025.npz"]
    assert run.latest_step() == 25


def test_no_changed_byte_goes_unnoticed(tmp_path):
    path = tmp_path / "arrays.npz"
    save_arrays(path, ARRAYS, {"step": 5})
    whole = path.read_bytes()
    noticed = 0
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x15]) + whole[position + 1 :])
        try:
            arrays, metadata = load_arrays(path)
        except DamagedFileError:
            noticed += 1
        else:  # a byte of no meaning, such as the time of day
            assert same(arrays, ARRAYS), position
            assert metadata == {"step": 5}
    assert noticed > len(whole) // 2


def test_a_file_cut_anywhere_is_damaged(tmp_path):
    path = tmp_path / "arrays.npz"
    save_arrays(path, ARRAYS, {})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFileError, match=r"arrays\.npz is damaged"):
            load_arrays(path)


def test_a_damaged_checkpoint_is_stepped_over_with_a_message(run, capsys):
    for step in (10, 20):
        run.save_checkpoint(step, ARRAYS, {"step": step})
    newest = run.path / "checkpoints" / "step-00000020.npz"
    newest.write_bytes(newest.read_bytes()[:-40])
    assert run.latest_checkpoint().progress == {"step": 10}
    assert "step-00000020.npz is damaged" in capsys.readouterr().err
    # Training goes on from 10, and its next checkpoint is the newest although the damaged one had a later step.
    run.save_checkpoint(15, ARRAYS, {"step": 15})
    assert run.latest_checkpoint().step == 15


def test_where_all_checkpoints_are_damaged_it_says_what_to_do(run):
    run.save_checkpoint(10, ARRAYS, {})
    (run.path / "checkpoints" / "step-00000010.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"all checkpoints are damaged; delete .*checkpoints to train anew"):
        run.latest_checkpoint()


def test_what_a_killed_process_left_half_written_is_cleared_away(run, job):
    run.save_checkpoint(10, ARRAYS, {"step": 10})
    run.log(event="train", step=10)
    (run.path / "checkpoints" / "step-00000020.npz.unfinished").write_bytes(b"half")
    with open(run.path / "log.jsonl", "a") as log:
        log.write('{"event": "tra')
    resumed = Run.resume(job())
    resumed.log(event="train", step=11)
    assert resumed.latest_checkpoint().step == 10
    assert [json.loads(line)["step"] for line in (run.path / "log.jsonl").read_text().splitlines()] == [10, 11]
    assert not list(run.path.rglob("*.unfinished"))


def test_a_directory_without_config_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="no such directory"):
        Run.open(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"is not a run \(it has no config\.yaml and tokenizer/\)"):
        Run.open(tmp_path)
    (tmp_path / "config.yaml").touch()  # such as `nmt init` writes
    with pytest.raises(ValueError, match=r"is not a run"):
        Run.open(tmp_path)


def test_a_directory_with_other_files_is_not_made_a_run(job, tokenizers, tmp_path):
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"not empty \(it holds 'thesis\.tex'\)"):
        Run.create(job(), tokenizers)


def test_another_jobs_run_is_refused_and_the_differing_settings_named(run, job, tokenizers):
    run.save_weights("best", ARRAYS)
    other = job("model.units=16", "training.schedule.learning_rate=0.5", "search.beam_size=7")
    for take in (Run.resume, lambda config: Run.create(config, tokenizers)):
        with pytest.raises(ValueError, match="other settings") as error:
            take(other)
        assert "model.units: 8 in the run, 16 now" in str(error.value)
        assert "training.schedule.learning_rate: 0.001 in the run, 0.5 now" in str(error.value)
        assert "search.beam_size" not in str(error.value).split("Choose")[0]
    assert Run.open(run.path).config == job()


def test_a_run_in_which_nothing_was_trained_is_made_anew_with_other_settings(run, job, tokenizers):
    run.log(event="data")
    other = job("model.units=16")
    assert Run.create(other, tokenizers).config == Run.open(run.path).config == other
    assert not (run.path / "log.jsonl").exists()


def test_while_a_run_is_trained_nobody_else_trains_it_and_a_killed_process_lets_go(run):
    held = f"import sys, time; from nmt.runs.lock import trained_alone; lock = trained_alone({str(run.path)!r})"
    code = f"{held}; lock.__enter__(); print('held', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(ValueError, match="another process trains this run"), trained_alone(run.path):
                pass
        finally:
            other.kill()
    with trained_alone(run.path):
        pass
    assert Run.open(run.path)


def test_where_no_training_came_of_it_no_directory_is_left(tmp_path):
    with trained_alone(tmp_path / "new"):
        with pytest.raises(ValueError, match="another process trains this run"), trained_alone(tmp_path / "new"):
            pass
        assert (tmp_path / "new").is_dir(), "whoever is refused leaves the first one's directory"
    assert not (tmp_path / "new").exists()


def test_a_run_is_never_created_twice(run, job, tokenizers):
    run.save_checkpoint(1, ARRAYS, {"step": 1})
    with pytest.raises(ValueError, match="already holds this run"):
        Run.create(job(), tokenizers)


def test_settings_that_bend_nothing_may_change_and_are_stored(run, job):
    longer = job("training.max_epochs=99", "training.patience=4", "search.beam_size=7", "export.name=other")
    assert Run.resume(longer).config == longer
    assert Run.open(run.path).config == longer


def test_missing_weights_name_those_that_are_there(run):
    with pytest.raises(ValueError, match="no weights 'best'; there are: none yet"):
        run.load_weights()
    run.save_checkpoint(10, ARRAYS, {})
    run.save_weights("best", {"a": np.ones(1)})
    run.save_weights(5, {"a": np.zeros(1)})
    with pytest.raises(ValueError, match="no weights '7'; there are: best, last, 5, 10"):
        run.load_weights(7)
    assert same(run.load_weights("best"), {"a": np.ones(1)})
    assert same(run.load_weights("5"), {"a": np.zeros(1)})
    assert same(run.load_weights("last"), {"a": ARRAYS["model/a"]})
    assert same(run.load_weights(10), {"a": ARRAYS["model/a"]})


def test_only_the_wanted_validations_are_kept(run):
    for step in (5, 10, 15):
        run.save_weights(step, {"a": np.ones(1)})
    run.keep_validations([10, 15])
    assert [file.name for file in sorted((run.path / "validations").iterdir())] == [
        "step-00000010.npz",
        "step-00000015.npz",
    ]


def test_a_model_loads_with_the_weights_saved(run):
    from nmt.model.seq2seq import build_model

    sizes = {f"{side}_vocabulary": tokenizer.vocabulary_size for side, tokenizer in run.tokenizers._asdict().items()}
    weights = {weight.path: weight.numpy() + 1 for weight in build_model(run.config, **sizes).weights}
    run.save_weights("best", weights)
    model = run.load_model("best")
    found = {weight.path: weight.numpy() for weight in model.weights}
    assert same(found, model.converted_weights(weights))
    run.save_weights("best", {f"other/{name}": weight for name, weight in weights.items()})
    with pytest.raises(ValueError, match="of another model"):
        run.load_model("best")
    run.save_weights("best", {name: np.resize(weight, (7, *weight.shape[1:])) for name, weight in weights.items()})
    with pytest.raises(ValueError, match=r"another model or tokenizer: .*\], \[.*\] was expected$") as refusal:
        run.load_model("best")
    assert len(str(refusal.value)) < 300
