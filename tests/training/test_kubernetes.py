"""The Job of serving/kubernetes-training: its fields, and its pods' command, run here by a process for each pod."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tiny_job import tiny_job, write_corpus

from nmt.config.file import dump_config
from nmt.runs.run import Run
from nmt.training.cluster import TRY_AGAIN

FOLDER = Path(__file__).parents[2] / "serving" / "kubernetes-training"
SERVICE, JOB = yaml.safe_load_all((FOLDER / "training.yaml").read_text())
POD = JOB["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
ENVIRONMENT = {entry["name"]: entry["value"] for entry in CONTAINER["env"]}


def test_pods_have_the_names_by_which_they_look_for_each_other():
    spec, service = JOB["spec"], SERVICE["spec"]
    assert spec["completionMode"] == "Indexed"  # a pod's host name is the job's name and its number
    assert spec["parallelism"] == spec["completions"] == int(ENVIRONMENT["WORKERS"])
    job, subdomain, port = JOB["metadata"]["name"], POD["spec"]["subdomain"], service["ports"][0]["port"]
    assert ENVIRONMENT["ADDRESS"] == f"{job}-%g.{subdomain}:{port}"
    assert CONTAINER["ports"] == [{"name": "worker", "containerPort": port}]
    assert (subdomain, service["clusterIP"]) == (SERVICE["metadata"]["name"], "None")
    assert service["selector"].items() <= POD["metadata"]["labels"].items()


def test_volumes_are_there_and_kubernetes_leaves_the_command_as_it_is():
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in POD["spec"]["volumes"]}
    assert CONTAINER["workingDir"] == mounts["training"]
    command = CONTAINER["command"][-1]
    assert not any(f"$({name})" in command for name in ENVIRONMENT)
    assert "$$" not in command


def action(status):
    """What becomes of the job when a pod has ended so."""
    for rule in JOB["spec"]["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes", {"values": []})
        assert codes.get("operator", "In") == "In"
        if status in codes["values"]:
            return rule["action"]
    return "Count"


def test_what_another_start_cannot_mend_ends_the_job_and_what_it_can_does_not_count():
    assert action(2) == "FailJob"
    assert action(TRY_AGAIN) == action(128 + signal.SIGTERM) == "Ignore"
    assert action(128 + signal.SIGKILL) == "Count"


class Pods:
    """The job's pods as processes of this machine, replaced when they fail."""

    def __init__(self, folder):
        self.folder = folder
        self.statuses = [[] for _ in range(JOB["spec"]["completions"])]
        self.processes = []
        self._environment = {
            **os.environ,
            **ENVIRONMENT,
            "ADDRESS": self._addresses(),
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        program = folder / "nmt"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nmt "$@"\n')
        program.chmod(0o755)
        for index in range(len(self.statuses)):
            self.processes.append(self._start(index))

    def said(self, index):
        return (self.folder / f"{index}.stderr").read_text()

    def run(self, seconds):
        """Until all have succeeded."""
        end = time.monotonic() + seconds
        while any(process.poll() != 0 for process in self.processes):
            assert time.monotonic() < end, [self.said(index) for index in range(len(self.processes))]
            for index, process in enumerate(self.processes):
                if process.poll():
                    status = process.returncode if process.returncode > 0 else 128 - process.returncode
                    assert action(status) != "FailJob", self.said(index)
                    self.statuses[index].append(status)
                    self.processes[index] = self._start(index)
            time.sleep(0.05)

    def _start(self, index):
        environment = {**self._environment, "JOB_COMPLETION_INDEX": str(index)}
        with open(self.folder / f"{index}.stderr", "a") as said:
            return subprocess.Popen(CONTAINER["command"], cwd=self.folder, env=environment, stderr=said)

    @staticmethod
    def _addresses():
        """As the manifest has them, but of this machine, at ports that are free."""
        for base in random.sample(range(2_000, 3_200), 100):
            with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
                for index in range(JOB["spec"]["completions"]):
                    stack.enter_context(socket.create_server(("localhost", int(f"{base}{index}"))))
                return f"localhost:{base}%g"
        raise AssertionError("no free ports")


@pytest.fixture
def pods(tmp_path):
    write_corpus(tmp_path)
    settings = ["training.max_steps=40", "training.validate_every=40", "training.save_minutes=0.0001"]
    (tmp_path / "config.yaml").write_text(dump_config(tiny_job(tmp_path, *settings)))
    started = Pods(tmp_path)
    yield started
    for process in started.processes:
        process.kill()
        process.wait()


@pytest.mark.skipif(not shutil.which("seq"), reason="needs seq")
def test_a_lost_pod_is_replaced_and_the_job_trains_to_its_end(pods):
    run = pods.folder / "run"
    for _ in range(6_000):
        if list((run / "checkpoints").glob("*.npz")):
            break
        assert all(process.poll() is None for process in pods.processes), [pods.said(index) for index in (0, 1)]
        time.sleep(0.05)
    pods.processes[1].kill()
    pods.run(400)
    assert pods.statuses == [[TRY_AGAIN], [128 + signal.SIGKILL]]
    assert "Continuing" in pods.said(0)
    assert Run.open(run).latest_step() == 40
