"""Counters, histograms and gauges of the endpoint, and the page on which Prometheus reads them.

Names and buckets of what TensorFlow Serving measures too are its own, so that dashboards work with either server; the
others begin with `nmt_` and `process_`. Imports no TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MICROSECONDS = [10 * 1.8**power for power in range(33)]
ROWS = [2**power for power in range(13)]
# The client library lets counters end in _total, which TensorFlow Serving's do not.
_ADDED_TOTAL = re.compile(rb"^((?:# HELP |# TYPE )?:tensorflow:\w[\w:]*)_total\b", re.MULTILINE)

disable_created_metrics()


class Metrics:
    """All metrics of one server; thread-safe."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.request_count = Counter(
            ":tensorflow:serving:request_count", "Predict requests.", ["model_name", "status"], registry=registry
        )
        self.request_latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds of a request, waiting included.",
            ["model_name", "API", "entrypoint"],
            buckets=MICROSECONDS,
            registry=registry,
        )
        self.runtime_latency = Histogram(
            ":tensorflow:serving:runtime_latency",
            "Microseconds until a request has its outputs, those in a queue included.",
            ["model_name", "API", "runtime"],
            buckets=MICROSECONDS,
            registry=registry,
        )
        self.queuing_latency = Histogram(
            ":tensorflow:serving:batching_session:queuing_latency",
            "Microseconds that the first rows of a batch have waited.",
            ["model_name"],
            buckets=MICROSECONDS,
            registry=registry,
        )
        self.batch_size = Histogram(
            ":tensorflow:serving:batching:processed_batch_size",
            "Rows that run as one call of the model.",
            ["model_name"],
            buckets=ROWS,
            registry=registry,
        )
        self.load_attempts = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "Versions that were to be loaded, by what became of it.",
            ["model_path", "status"],
            registry=registry,
        )
        self.load_latency = Counter(
            ":tensorflow:cc:saved_model:load_latency",
            "Microseconds that loading took, warm-up included.",
            ["model_path"],
            registry=registry,
        )
        self.in_progress = Gauge(
            "nmt_requests_in_progress", "Predict requests being answered or waiting.", ["entrypoint"], registry=registry
        )
        self.rows = Counter(
            "nmt_rows", "Rows (lines, for text) of Predict requests.", ["model_name"], registry=registry
        )
        self.source_bytes = Counter(
            "nmt_source_bytes", "Bytes of the text of Predict requests.", ["model_name"], registry=registry
        )
        self.source_tokens = Counter(
            "nmt_source_tokens",
            "Token ids that Predict requests had in place of text.",
            ["model_name"],
            registry=registry,
        )
        ProcessCollector(registry=registry)

    def follow(self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Adds a gauge whose values by label are read whenever the page is."""
        self._registry.register(_Followed(name, documentation, label, read))

    def page(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return _ADDED_TOTAL.sub(rb"\1", generate_latest(self._registry))


class _Followed(Collector):
    def __init__(self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._read = read

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=[self._label])
        for label, value in self._read().items():
            family.add_metric([label], value)
        yield family
