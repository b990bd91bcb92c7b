"""The scenarios of load.py, each for a moment, on a model without a network: nothing fails, whatever is sent."""

import sys
from pathlib import Path

import pytest
from serving_cases.text_model import ENGLISH, export_text_model, train_tokenizer

sys.path.insert(0, str(Path(__file__).parent))
import load


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    export_text_model(train_tokenizer(ENGLISH, vocabulary_size=60), directory, version=1)
    return directory


def check(found):
    assert found.failed == 0, found
    assert found.requests > 0


def test_many_clients_are_all_answered(directory):
    for found in load.many_clients(directory, seconds=1):
        check(found)


def test_idle_connections_keep_nobody_from_an_answer(directory):
    check(load.many_connections(directory, idle=100, seconds=1))


def test_a_version_swap_under_load_fails_no_request(directory):
    check(load.version_swap(directory, seconds=2))


def test_a_reload_under_load_fails_no_request(directory):
    check(load.reload(directory, seconds=2))


def test_sigterm_fails_no_request(directory):
    check(load.terminate(directory, seconds=1))


def test_a_client_that_retries_loses_no_line_when_the_server_is_killed(directory):
    check(load.kill(directory, lines=2_000))


def test_requests_that_are_not_mutated_are_answered(directory):
    with load.serving(directory) as served:
        port = served.rest_port
        assert [load.rest_status(port, request, patience=10) for request in load.REST_SEEDS] == [200] * 5


def test_no_mutated_bytes_are_the_servers_fault(directory):
    for found in load.fuzz(directory, requests=600):
        check(found)
