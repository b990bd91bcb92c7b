"""Counters and histograms of the endpoint, and the page on which Prometheus reads them.

Names, labels and buckets are TensorFlow Serving's own, so that its dashboards work on either server. (The Prometheus
client library renames counters to end in `_total`, which TensorFlow Serving's do not.)
"""

from __future__ import annotations

import bisect
import threading
from collections import Counter, defaultdict

REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
BUCKETS = [10 * 1.8**power for power in range(33)]  # microseconds


class Metrics:
    """Thread-safe; labels are (name, value) pairs in a fixed order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._histograms: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: Counter[tuple[str, str]] = Counter()

    def count(self, metric: str, **labels: str) -> None:
        with self._lock:
            self._counts[metric, _labels(labels)] += 1

    def observe(self, metric: str, microseconds: int, **labels: str) -> None:
        key = metric, _labels(labels)
        with self._lock:
            self._histograms[key][bisect.bisect_left(BUCKETS, microseconds)] += 1
            self._sums[key] += microseconds

    def page(self) -> str:
        """All metrics in Prometheus's text format."""
        with self._lock:
            counts = dict(self._counts)
            histograms = {key: (list(buckets), self._sums[key]) for key, buckets in self._histograms.items()}
        lines = []
        for metric in sorted({metric for metric, _ in counts}):
            lines.append(f"# TYPE {metric} counter")
            lines += [f"{name}{{{labels}}} {value}" for (name, labels), value in counts.items() if name == metric]
        for metric in sorted({metric for metric, _ in histograms}):
            lines.append(f"# TYPE {metric} histogram")
            for (name, labels), (buckets, total) in histograms.items():
                if name == metric:
                    lines += _histogram_lines(name, labels, buckets, total)
        return "\n".join(lines) + "\n"


def _histogram_lines(metric: str, labels: str, buckets: list[int], total: int) -> list[str]:
    lines, seen = [], 0
    for bound, count in zip([f"{bound:g}" for bound in BUCKETS] + ["+Inf"], buckets, strict=True):
        seen += count
        lines.append(f'{metric}_bucket{{{labels},le="{bound}"}} {seen}')
    return [*lines, f"{metric}_sum{{{labels}}} {total}", f"{metric}_count{{{labels}}} {seen}"]


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
