"""Workers find each other before they train."""

import contextlib
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from worker_process import addresses

from nmt.training import cluster
from nmt.training.cluster import Cluster, gather, read_cluster
from nmt.training.interrupted import WorkerLostError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cluster, "_PAUSE", 0.01)
    monkeypatch.setattr(cluster, "_ANSWER", 0.5)


@contextlib.contextmanager
def training(address):
    """What a worker that trains is for those that gather: something that listens, and says nothing that they know."""
    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port))):
        yield


def gathers_and_trains(cluster, *, others_are_ready):
    gather(cluster, minutes=1)
    with training(cluster.addresses[cluster.own]):
        others_are_ready.wait(60)


def test_workers_go_on_when_all_have_been_started_in_whatever_order():
    of = addresses(3)
    with ThreadPoolExecutor() as pool:
        ends = []
        all_there = threading.Barrier(3)
        for index in (2, 0, 1):
            assert not any(end.done() for end in ends)
            ends.append(pool.submit(gathers_and_trains, Cluster(of, index), others_are_ready=all_there))
            time.sleep(0.1)
        for end in ends:
            end.result(60)


def test_a_training_that_has_lost_a_worker_is_not_taken_for_the_one_started_again():
    of = addresses(2)
    with training(of[0]), pytest.raises(WorkerLostError, match=rf"for worker 0 \({of[0]}\)"):
        gather(Cluster(of, 1), minutes=0.02)
    with ThreadPoolExecutor() as pool:
        all_there = threading.Barrier(2)
        with training(of[0]):
            again = pool.submit(gathers_and_trains, Cluster(of, 1), others_are_ready=all_there)
            time.sleep(0.1)
        pool.submit(gathers_and_trains, Cluster(of, 0), others_are_ready=all_there).result(60)
        again.result(60)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not set"),
        ("{cluster", "expected something like"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "none with index 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"index": 0}}', "'type' is missing"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "HOST:PORT"),
        ('{"cluster": {"ps": ["b:1"], "worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "no workers"),
    ],
)
def test_a_wrong_list_of_workers_is_refused_with_what_it_should_be(monkeypatch, text, complaint):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=re.escape(complaint)):
        read_cluster()
