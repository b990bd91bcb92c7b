"""The command line as a user meets it: real runs, exports and pipes, and every mistake answered in plain words."""

import bz2
import gzip
import html
import io
import json
import math
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml
from tiny_job import tiny_job, write_corpus

from nmt.cli.main import COMMANDS, main
from nmt.config.file import dump_config, parse_config
from nmt.model.seq2seq import build_model
from nmt.runs.run import Run
from nmt.text.sentences import SentenceSplitter
from nmt.translation import ensemble

NMT = [sys.executable, "-m", "nmt"]
LINES = [
    b"red cat",
    b"",
    b" \t ",
    b"old \xff\xfe dog\r",
    "green\u2028house\x0ctree".encode(),
    b"x\x00y",
    b"\xf0\x9f\x98\x80",
    b"red <b>cat</b>: 3.5 {dogs}",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a job, its corpus, and its run, made by `nmt train`."""
    folder = tmp_path_factory.mktemp("cli")
    write_corpus(folder)
    settings = ["training.max_steps=1", "search.beam_size=3", "search.min_length_ratio=0.5", "search.guard=true"]
    settings.append("export.n_best=1")  # its signature nbest then is the search of the others, traced once
    test_set = f"data.test.held_out={{source: {folder}/valid.en, target: {folder}/valid.xx}}"
    (folder / "job.yaml").write_text(dump_config(tiny_job(folder, *settings, test_set)))
    (folder / "input").write_bytes(b"\n".join(LINES))
    assert main(["train", str(folder / "job.yaml")]) == 0
    run = Run.open(folder / "run")
    random = np.random.default_rng(1)  # a model that says something else of each line
    run.save_weights("best", {name: random.normal(size=each.shape) for name, each in run.load_weights().items()})
    return folder


@pytest.fixture(scope="module", autouse=True)
def shared_translators():
    """Commands that translate with the same run under the same settings share its translator, as tracing one takes
    seconds."""
    load, made = ensemble.load_translator, {}

    def load_once(runs, **arguments):
        key = repr([[(run.path, run.calibration()) for run in runs], sorted(arguments.items())])
        if key not in made:
            made[key] = load(runs, **arguments)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble, "load_translator", load_once)
        yield


@pytest.fixture(scope="module")
def calibrated(folder):
    """A copy of the run whose validation set is large enough to calibrate on; without the guard, which is traced as
    long again."""
    copy = shutil.copytree(folder / "run", folder / "calibrated")
    config = (copy / "config.yaml").read_text().replace(f"{folder}/valid.", f"{folder}/train.")
    config = config.replace("  guard: true", "  guard: false")
    (copy / "config.yaml").write_text(config)
    return copy


@pytest.fixture(scope="module")
def export(folder):
    assert main(["export", str(folder / "run"), str(folder / "export")]) == 0
    return str(folder / "export")


@pytest.fixture
def nmt(capfdbinary, monkeypatch):
    """Runs a command that must succeed; gives the lines of its stdout."""

    def run(*arguments, stdin: bytes = b"") -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        assert code == 0, captured.err.decode()
        return captured.out.decode().split("\n")[:-1]

    return run


@pytest.fixture(scope="module")
def translator(folder):
    from nmt.translation.model_engine import ModelEngine
    from nmt.translation.translator import Translator

    run = Run.open(folder / "run")
    options = run.config.search.model_copy(update={"n_best": 2})
    engine = ModelEngine([run.load_model()])
    return Translator(
        engine,
        run.tokenizers,
        options,
        protection=run.protection,
        alignments=True,
        sentences=run.sentence_splitter(options),
        capitals=run.capitals(),
    )


@pytest.fixture(scope="module")
def expected(translator):
    """What Python makes of LINES."""
    return translator.translate([line.removesuffix(b"\r") for line in LINES])


# ---- help and mistakes


def test_help_imports_nothing_that_takes_time():
    program = (
        "import sys\n"
        "from nmt.cli.main import COMMANDS, main\n"
        "for arguments in [['--help'], *([*command.split(), '--help'] for command in COMMANDS)]:\n"
        "    try: main(arguments)\n"
        "    except SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'pydantic', 'yaml', 'numpy', 'sentencepiece', 'sacrebleu', 'grpc', 'tqdm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(f"usage: nmt {command} " in done.stdout for command in COMMANDS)


def test_the_help_names_every_command_and_is_shown_where_none_is_given(capsys):
    assert main([]) == 2
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed and command.HELP in listed for name, command in COMMANDS.items())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("config {folder}/nope.yaml", "{folder}/nope.yaml: no such file"),
        ("config --set seed=1", "--set changes the settings of a CONFIG"),
        ("config {folder}/job.yaml --set sead=1", "--set sead=1: sead: unknown key; did you mean seed?"),
        ("init --source {folder}/train.en --target {folder}/nope.de", "{folder}/nope.de: no such file"),
        ("init --source {folder}/train.en --target {folder}/train.xx", "train.xx: 150 pairs, but at least 1,000 pairs"),
        ("check {folder}", "{folder}: is a directory, a YAML file was expected"),
        ("train {folder}/train.en", "{folder}/train.en:1: "),
        ("translate", "a run, an export or --server is needed"),
        ("translate {folder}/nope", "{folder}/nope: no such directory"),
        ("translate {folder}", "{folder}: is not a run"),
        ("translate {folder}/run {folder}/nope", "{folder}/nope: no such file"),
        ("translate {folder}/run {folder}", "{folder} is a directory"),
        ("translate {folder}/run {folder}/input --weights 77", "no weights '77'; there are: best, last"),
        ("translate {folder}/run --set model.units=8", "--set model.units=8: of a trained run only settings of search"),
        ("translate {folder}/run --set search.max_length_ratio=1.0e+9", "search.max_length_ratio"),
        ("export {folder}/run {folder}/out --set model.units=8", "only settings of search and export can be changed"),
        ("export {folder}/run {folder}/out --set search.n_best=2", "search.n_best and search.sampling do nothing here"),
        ("translate {folder}/run --set search.beam=8", "--set search.beam=8: search.beam: unknown key; did you mean"),
        ("translate {folder}/run --n-best 9", "cannot exceed beam_size (3): set search.beam_size to at least 9"),
        ("translate {folder}/run {folder}/input --output {folder}/input", "choose another --output"),
        ("translate {folder}/run --alignments html --jsonl", "leave one of them out"),
        ("translate {folder}/run {folder}/input --prefix-file {folder}/nope", "{folder}/nope: no such file"),
        ("translate {folder}/run {folder}/input --ensemble {folder}/nope", "{folder}/nope: no such directory"),
        ("translate --server localhost {folder}/input", "'localhost' is no address of a server"),
        ("translate --server http://localhost:1 {folder}/input", "no server answers at http://localhost:1"),
        (
            "translate --server http://localhost:1 --set search.beam_size=2",
            "need a run: http://localhost:1 translates as",
        ),
        ("translate --server http://localhost:1 --weights last", "weights 'last' need a run"),
        ("translate --server http://localhost:1 --ensemble {folder}/run", "leave it or --server out"),
        ("score {folder}/run {folder}/valid.en {folder}/train.xx", "6 lines but {folder}/train.xx has 150"),
        ("evaluate {folder}/run --test nope", "no test set 'nope'"),
        ("evaluate {folder}/run --test validation --json {folder}/nope/x", "{folder}/nope/x: No such file"),
        ("translate {folder}/run {folder}/wide", "{folder}/wide is UTF-16 text, but UTF-8 text was expected"),
        ("translate {folder}/run {folder}/input --prefix-file {folder}/wide", "{folder}/wide is UTF-16 text"),
        ("score {folder}/run {folder}/wide {folder}/wide", "{folder}/wide is UTF-16 text"),
        ("evaluate {folder}/run --test validation --against {folder}/wide", "{folder}/wide is UTF-16 text"),
        ("train {folder}/job.yaml --set run={folder}/new --set data.train.0.source={folder}/wide", "UTF-16 text"),
        ("train {folder}/job.yaml --set run={folder}/new --set data.train.0={folder}", "data.train"),
        ("translate {folder}/run --server http://localhost:1 {folder}/input", "{folder}/run is a directory: with --s"),
        ("info {folder}/nope", "{folder}/nope: no such directory"),
        ("export {folder}/nope {folder}/out", "{folder}/nope: no such directory"),
        ("export {folder}/run {folder}/input", "{folder}/input"),
        ("serve {folder}/nope", "{folder}/nope"),
        ("serve", "serve either an export directory or"),
        ("serve --model-name x --model-config-file {folder}/input", "--model-name names the model of DIR"),
    ],
)
def test_a_mistake_is_answered_in_plain_words_and_exit_code_2(folder, capfd, arguments, complaint):
    (folder / "wide").write_bytes("red cat\n".encode("utf-16"))
    assert main(arguments.format(folder=folder).split()) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nmt: error: ")
    assert complaint.format(folder=folder) in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "arguments", ["nope", "--nope", "train", "translate --n-best 0 x", "translate --alignments x y"]
)
def test_a_mistyped_command_or_option_is_answered_with_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments.split())
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: nmt")


def test_debugging_shows_where_an_error_came_from(monkeypatch, tmp_path):
    monkeypatch.setenv("NMT_DEBUG", "1")
    with pytest.raises(ValueError, match="no such file"):
        main(["config", str(tmp_path / "nope.yaml")])


def test_a_reader_who_has_had_enough_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*NMT, "config"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 141


def shell(command: str, **variables) -> subprocess.CompletedProcess[str]:
    """Runs a command line in which nmt stands for itself."""
    quoted = command.replace("nmt", shlex.join(NMT), 1)
    return subprocess.run(["sh", "-c", quoted], capture_output=True, text=True, env={**os.environ, **variables})


def test_closed_outputs_are_no_reason_for_a_stack_trace(folder):
    done = shell("nmt config >&-")
    assert done.returncode == 2
    assert done.stderr == "nmt: error: stdout is closed: redirect it to a file, or to /dev/null\n"
    done = shell("nmt config 2>&-")
    assert (done.returncode, done.stdout.startswith("# "), done.stderr) == (0, True, "")
    assert shell(f"nmt config {folder}/nope 2>&-").returncode == 2
    assert shell("nmt config >&- 2>&-").returncode == 2


def test_without_stderr_tensorflow_starts_all_the_same(folder):
    done = shell(f"nmt score {folder}/run {folder}/valid.en {folder}/valid.xx 2>&-")
    assert (done.returncode, done.stdout.count("\n")) == (0, 6)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_named(folder):
    done = shell("nmt config > /dev/full")
    assert (done.returncode, done.stderr) == (2, "nmt: error: stdout: No space left on device\n")
    done = shell(f"nmt evaluate {folder}/run --test validation --json /dev/full > /dev/null")
    assert done.returncode == 2
    assert done.stderr.endswith("nmt: error: /dev/full: No space left on device\n")


def test_init_names_the_file_that_a_full_disk_cuts_short_and_leaves_none(tmp_path):
    for side in ("en", "de"):
        lines = (f"line {number} of {side} is not like others\n" for number in range(2_000))
        (tmp_path / f"all.{side}").write_text("".join(lines))
    done = shell(
        f"ulimit -f 100; nmt init --source {tmp_path}/all.en --target {tmp_path}/all.de --output {tmp_path}/job"
    )
    assert done.returncode == 2
    assert re.search(rf"nmt: error: {tmp_path}/job/train\.\w+: File too large\n$", done.stderr)
    assert not [path for path in (tmp_path / "job").glob("**/*") if path.is_file()]


# ---- config, check, info


def test_config_prints_every_setting_or_those_of_a_job(folder, nmt):
    assert "  beam_size: 5  # a whole number >= 1" in nmt("config")
    resolved = "\n".join(nmt("config", folder / "job.yaml", "--set", "seed=7"))
    assert parse_config(resolved).seed == 7
    assert json.loads("\n".join(nmt("config", "--schema")))["properties"].keys() == yaml.safe_load(resolved).keys()


def test_check_fails_where_there_are_errors(folder, capsys):
    assert main(["check", str(folder / "job.yaml")]) == 0
    assert main(["check", str(folder / "job.yaml"), "--set", f"data.train.0.target={folder}/valid.xx"]) == 1
    assert "150 lines" in capsys.readouterr().out


def test_info_tells_what_the_run_is(folder, nmt):
    run = Run.open(folder / "run")
    said = dict(line.split(None, 1) for line in nmt("info", folder / "run"))
    assert said["languages"] == "en -> xx"
    assert said["vocabulary"] == f"{run.tokenizers.source.vocabulary_size} joint"
    assert said["protected"] == "urls, emails, tags, placeholders, emoji, numbers"
    # Those trained, of which a model that only translates merges some.
    sizes = {f"{side}_vocabulary": tokenizer.vocabulary_size for side, tokenizer in run.tokenizers._asdict().items()}
    model = build_model(run.config, **sizes)
    assert said["parameters"] == f"{sum(math.prod(weight.shape) for weight in model.weights):,}"
    assert said["trained"].startswith("1 steps")
    assert "BLEU" in said["best"]


# ---- translate


def test_each_line_in_is_one_line_out_whatever_its_bytes(folder, nmt, expected):
    texts = [translation.text for translation in expected]
    assert texts[1:3] == ["", ""]
    assert len(set(texts)) > 2, "a run that says the same of everything shows nothing"
    assert all(texts[-1].count(span) == 1 for span in ("<b>", "</b>", "3.5", "{dogs}"))
    assert nmt("translate", folder / "run", stdin=b"\n".join(LINES) + b"\n") == texts


def test_files_follow_one_another_and_options_may_stand_anywhere(folder, nmt, expected):
    (folder / "input.gz").write_bytes(gzip.compress(b"\n".join(LINES)))
    output = folder / "output"
    files = [folder / "input", "--output", output, folder / "input.gz", "-"]
    assert nmt("translate", folder / "run", *files, stdin=LINES[0]) == []
    texts = [translation.text for translation in expected]
    assert output.read_text(encoding="utf-8") == "".join(text + "\n" for text in [*texts, *texts, texts[0]])


def test_alignments_as_a_page_are_a_heat_map_of_each_line(folder, nmt, expected):
    assert nmt("translate", folder / "run", folder / "input", "--alignments", "html", "--output", folder / "page") == []
    page = (folder / "page").read_text(encoding="utf-8")
    shown = re.findall(r"<section>.*?</section>", page, flags=re.DOTALL)
    assert len(shown) == len(expected)
    for section, translation in zip(shown, expected, strict=True):
        assert section.count('scope="row"') == len(translation.n_best[0].pieces)
        assert section.count('scope="col"') == len(translation.source_pieces)
    assert page.endswith("</html>\n")


def test_scores_and_alignments_are_those_the_translator_found(folder, nmt, expected):
    lines = nmt("translate", folder / "run", folder / "input", "--scores", "--alignments", "hard")
    for line, translation in zip(lines, expected, strict=True):
        score, text, alignment = line.split("\t")
        assert float(score) == pytest.approx(translation.score, abs=1e-3)
        assert text == translation.text
        best = translation.n_best[0]
        most_read = best.alignment.argmax(axis=1) if best.pieces else []  # a line of an emoji is copied without any
        assert alignment == " ".join(f"{source}-{target}" for target, source in enumerate(most_read))


def test_a_pipe_is_read_once_also_where_a_bar_shows_the_progress(folder, nmt, monkeypatch, expected):
    reader, writer = os.pipe()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with open(reader, "rb"), open(writer, "wb") as pipe:
        pipe.write(LINES[0] + b"\n")
        pipe.close()
        assert nmt("translate", folder / "run", f"/dev/fd/{reader}") == [expected[0].text]


def test_what_is_read_is_never_written_over_however_it_is_named(folder, monkeypatch, capfd):
    text = folder / "dear"
    text.write_bytes(LINES[0] + b"\n")
    with open(text, encoding="utf-8") as redirected:
        monkeypatch.setattr(sys, "stdin", redirected)
        for arguments in ([], ["-"], [f"{folder}/input", "--prefix-file", f"{text}"]):
            assert main(["translate", f"{folder}/run", *arguments, "--output", f"{folder}/../{folder.name}/dear"]) == 2
            assert "choose another --output" in capfd.readouterr().err
    assert text.read_bytes() == LINES[0] + b"\n"


def test_output_that_is_called_gz_is_read_like_any_other(folder, nmt, expected):
    assert nmt("translate", folder / "run", folder / "input", "--output", folder / "out.gz") == []
    assert gzip.decompress((folder / "out.gz").read_bytes()).decode().split("\n")[:-1] == [one.text for one in expected]


def test_compressed_stdin_is_unpacked(folder, nmt, expected):
    texts = [translation.text for translation in expected]
    assert nmt("translate", folder / "run", stdin=gzip.compress(b"\n".join(LINES))) == texts
    assert nmt("translate", folder / "run", "-", stdin=bz2.compress(b"\n".join(LINES))) == texts


def test_stdin_that_is_a_file_is_read_from_its_start(folder, nmt, monkeypatch, capfdbinary, expected):
    with open(folder / "input", encoding="utf-8") as redirected:
        monkeypatch.setattr(sys, "stdin", redirected)
        assert main(["translate", str(folder / "run")]) == 0
    assert capfdbinary.readouterr().out.decode().split("\n")[:-1] == [translation.text for translation in expected]


def test_a_failure_leaves_the_output_as_it_was(folder, capfd):
    damaged, output = folder / "damaged.gz", folder / "kept"
    damaged.write_bytes(gzip.compress(LINES[0] + b"\n") + gzip.compress(os.urandom(1000))[:500])
    output.write_text("of yesterday\n")
    assert main(["translate", f"{folder}/run", f"{damaged}", "--output", f"{output}"]) == 2
    assert f"{damaged}: a damaged .gz" in capfd.readouterr().err
    assert output.read_text() == "of yesterday\n"
    assert main(["evaluate", f"{folder}/run", "--test", "nope", "--json", f"{folder}/scores.json"]) == 2
    assert not list(folder.glob("scores.json*"))


def test_a_closed_stdin_is_no_reason_for_a_stack_trace(folder, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["translate", str(folder / "run")]) == 2
    assert "stdin is closed: name a FILE" in capfd.readouterr().err


def test_json_lines_hold_all_the_translator_found(folder, nmt, expected):
    lines = nmt("translate", folder / "run", folder / "input", "--jsonl", "--n-best", "2", "--alignments", "soft")
    for found, translation, line in zip(map(json.loads, lines), expected, LINES, strict=True):
        assert found["source"] == line.removesuffix(b"\r").decode("utf-8", "replace")
        assert found.get("source_pieces", []) == list(translation.source_pieces)
        for mine, theirs in zip(found["n_best"], translation.n_best, strict=True):
            assert (mine["translation"], mine["pieces"]) == (theirs.text, list(theirs.pieces))
            weights = np.reshape(mine["alignment"], theirs.alignment.shape)
            np.testing.assert_allclose(weights, theirs.alignment, atol=1e-4)


def test_search_settings_can_be_changed(folder, nmt, expected):
    longer = ["--set", "search.min_length_ratio=3", "--set", "search.max_length_ratio=4"]
    lines = nmt("translate", folder / "run", folder / "input", "--jsonl", "--alignments", "hard", *longer)
    for line, translation in zip(map(json.loads, lines), expected, strict=True):
        source_length = len(translation.source_pieces)
        sentences = [text for text in SentenceSplitter("en").split(line["source"]).texts if text.strip()]
        assert len(line["pieces"]) >= 3 * source_length
        assert len(translation.n_best[0].pieces) <= source_length + max(1, len(sentences))


def test_translations_start_with_their_prefixes(folder, nmt, expected):
    (folder / "two").write_bytes(b"blue car\n" + LINES[0])
    (folder / "prefixes").write_text("god eert\n\n")
    forced, free = nmt("translate", folder / "run", folder / "two", "--prefix-file", folder / "prefixes")
    assert forced.startswith("god eert")
    assert free == expected[0].text


@pytest.mark.parametrize(
    ("prefixes", "complaint"), [("one\n", "1 lines, fewer than"), ("a\nb\nc\n", "more lines than the 2 that")]
)
def test_prefixes_that_are_not_one_for_each_line_are_refused(folder, capfd, prefixes, complaint):
    (folder / "two").write_text("blue car\nred cat\n")
    (folder / "prefixes").write_text(prefixes)
    assert main(["translate", f"{folder}/run", f"{folder}/two", "--prefix-file", f"{folder}/prefixes"]) == 2
    assert complaint in capfd.readouterr().err


def test_an_ensemble_of_a_run_with_itself_is_that_run(folder, nmt, expected):
    lines = nmt("translate", folder / "run", "--ensemble", folder / "run", folder / "input")
    assert lines == [translation.text for translation in expected]


@pytest.mark.parametrize("watched", [True, False])
def test_a_terminal_gets_a_prompt_and_a_file_none(folder, monkeypatch, capfd, expected, watched):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: watched)
    keyboard, terminal = pty.openpty()
    os.write(keyboard, LINES[0] + b"\n\n\x04")
    with open(terminal, encoding="utf-8") as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert main(["translate", str(folder / "run")]) == 0
    os.close(keyboard)
    prompt, end = ("> ", "\n") if watched else ("", "")
    assert capfd.readouterr().out == f"{prompt}{expected[0].text}\n{prompt}\n{prompt}{end}"


def test_a_pipe_is_answered_when_it_pauses_and_ctrl_c_ends_it_quietly(folder, expected):
    pipe = subprocess.PIPE
    # A shell's background job, which these tests may be, hands on that Ctrl-C is ignored. The child says so itself:
    # code between fork and exec (preexec_fn) can abort in a process with TensorFlow's threads.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from nmt.cli.main import main; sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, "translate", str(folder / "run")],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
    ) as process:
        process.stdin.write(LINES[0] + b"\n")
        process.stdin.flush()
        assert process.stdout.readline().decode() == expected[0].text + "\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (out, err) == (b"", b"")
    assert process.returncode == 130


# ---- guard and confidence


def test_calibrate_prints_how_reliable_confidence_is_and_json_lines_then_have_it(folder, calibrated, nmt):
    table = nmt("calibrate", calibrated)
    calibration = Run.open(calibrated).calibration()
    assert "\n".join(table) == str(calibration)
    assert f"{calibration.pearson:.3f} (Pearson)" in table[1]
    export = folder / "calibrated-export"
    assert main(["export", str(calibrated), str(export)]) == 0
    from_run, from_export = (
        [json.loads(line) for line in nmt("translate", model, folder / "input", "--jsonl")]
        for model in (calibrated, export)
    )
    for one, other, line in zip(from_run, from_export, LINES, strict=True):
        assert 0 <= one["confidence"] <= 1
        assert other["confidence"] == pytest.approx(one["confidence"], abs=1e-4)
        assert line.strip() or one["confidence"] == 1.0


def test_a_run_that_is_not_calibrated_has_no_confidence_and_tells_the_way(folder, capfd):
    assert main(["translate", f"{folder}/run", f"{folder}/input", "--jsonl"]) == 0
    captured = capfd.readouterr()
    assert {json.loads(line)["confidence"] for line in captured.out.split("\n")[:-1]} == {None}
    assert f"`nmt calibrate {folder}/run`" in captured.err
    assert main(["calibrate", f"{folder}/run"]) == 2
    assert "the validation set has 6 lines" in capfd.readouterr().err


def test_degenerate_translations_are_counted_at_the_end(folder, export, capfd, expected):
    flagged = [number for number, translation in enumerate(expected, start=1) if translation.degenerate]
    assert 0 < len(flagged) < len(LINES)
    for model in (f"{folder}/run", export):
        capfd.readouterr()
        assert main(["translate", model, f"{folder}/input"]) == 0
        (said,) = [line for line in capfd.readouterr().err.splitlines() if "degenerate" in line]
        assert said.startswith(f"{len(flagged)} of {len(LINES)} translations look degenerate")
        assert said.endswith("line " + ", ".join(map(str, flagged)))
    assert main(["translate", f"{folder}/run", f"{folder}/input", "--set", "search.guard=false"]) == 0
    assert "degenerate" not in capfd.readouterr().err


# ---- score and evaluate


def test_score_prints_the_log_probability_of_each_pair_and_the_perplexity(folder, capfd, translator):
    sides = [(folder / f"valid.{side}").read_text().splitlines() for side in ("en", "xx")]
    scores = translator.score(*sides)
    assert main(["score", f"{folder}/run", f"{folder}/valid.en", f"{folder}/valid.xx"]) == 0
    captured = capfd.readouterr()
    printed = [float(line) for line in captured.out.splitlines()]
    np.testing.assert_allclose(printed, [each.sum() for each in scores], atol=1e-3)
    word, perplexity, *_ = captured.err.split()
    assert word == "perplexity"
    assert float(perplexity) == pytest.approx(math.exp(-np.concatenate(scores).mean()), rel=1e-3)


def test_evaluate_scores_what_translate_writes(folder, nmt, translator):
    from nmt.text.metrics import bleu_tokenize, score

    report = nmt("evaluate", folder / "run", "--json", folder / "report.json")
    sources, references = ((folder / f"valid.{side}").read_text().splitlines() for side in ("en", "xx"))
    translations = [translation.text for translation in translator.translate(sources)]
    expected = score(translations, references, tokenize=bleu_tokenize(Run.open(folder / "run").config))
    assert any(expected.bleu.signature in line for line in report)
    (result,) = json.loads((folder / "report.json").read_text())["results"]
    assert result["test_set"] == "held_out"
    assert result["chrf"]["value"] == pytest.approx(expected.chrf.value)


# ---- exports and servers


def test_an_export_translates_and_aligns_as_its_run_does(folder, nmt, export, expected):
    lines = nmt("translate", export, folder / "input", "--jsonl", "--alignments", "soft")
    for found, translation in zip(map(json.loads, lines), expected, strict=True):
        best = translation.n_best[0]
        assert (found["translation"], found["pieces"]) == (best.text, list(best.pieces))
        assert found["score"] == pytest.approx(best.score, abs=1e-3)
        np.testing.assert_allclose(np.reshape(found["alignment"], best.alignment.shape), best.alignment, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("{export} --n-best 2 --alignments hard", "leave n_best or alignments out"),
        ("{export} --set search.beam_size=1", "settings of search need a run: {export} translates as was set when"),
        ("{export} --prefix-file {folder}/input", "prefixes need a run"),
        ("{export}/ids", "takes no text"),
    ],
)
def test_what_an_export_cannot_do_is_refused(folder, export, capfd, arguments, complaint):
    assert main(["translate", *arguments.format(export=export, folder=folder).split(), f"{folder}/input"]) == 2
    assert complaint.format(export=export) in capfd.readouterr().err


@pytest.fixture
def server(export):
    from nmt.serving.server import Server, model_config

    with Server([model_config(export, name="translator")], port=0, rest_api_port=0) as server:
        yield server


def test_a_server_translates_as_its_run_does(folder, nmt, server, expected):
    for url in (server.rest_url, server.grpc_url):
        lines = [line.split("\t") for line in nmt("translate", "--server", url, folder / "input", "--scores")]
        assert [text for _, text in lines] == [translation.text for translation in expected]
        scores = [translation.score for translation in expected]
        np.testing.assert_allclose([float(score) for score, _ in lines], scores, atol=1e-3)
        judged = [json.loads(line) for line in nmt("translate", "--server", url, folder / "input", "--jsonl")]
        assert [each.get("degenerate", False) for each in judged] == [each.degenerate for each in expected]


@pytest.mark.parametrize("wanted", [["--n-best", "1"], ["--alignments", "hard"]], ids=" ".join)
def test_a_servers_n_best_lists_and_alignments_are_those_of_its_export(folder, nmt, export, server, wanted):
    def translated(*where):
        lines = nmt("translate", *where, folder / "input", *wanted)
        return [re.sub(r"-?\d+\.\d{4}", "", line) for line in lines]  # scores may differ in their last digit

    expected = translated(export)
    for url in (server.rest_url, server.grpc_url):
        assert translated("--server", url) == expected


def test_a_file_in_another_format_is_translated_in_place(folder, nmt, translator):
    (folder / "page.html").write_text("<p>red house</p>\n<!-- kept -->\n")
    (expected,) = translator.translate(["red house"])
    assert nmt("translate", folder / "run", folder / "page.html", "--output", folder / "new.html") == []
    assert html.unescape((folder / "new.html").read_text()) == f"<p>{expected.text}</p>\n<!-- kept -->\n"
    assert main(["translate", str(folder / "run"), str(folder / "page.html"), "--scores"]) != 0
