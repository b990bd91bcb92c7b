"""The endpoint's answers, for REST and gRPC alike: predictions, the state of models, their signatures.

REST and gRPC only convert requests and answers, so the same inputs give the same outputs, errors and metrics. What
is no prediction is a message in JSON, as REST answers it. Imports no TensorFlow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nmt.exports.signatures import Signature
from nmt.serving.batching import Batch, Batcher
from nmt.serving.batching_parameters import DEFAULT_BATCHING, BatchingParameters
from nmt.serving.error import ServingError, StatusCode, from_exception, invalid_argument, without_directories
from nmt.serving.joining import divisible
from nmt.serving.monitoring import Metrics
from nmt.serving.served_models import ServedModels, Version
from nmt.serving.text_limits import TEXT_LIMITS, TextLimits


class PredictionService:
    """Args: limits: of the text of a request; batching: how requests are joined, None = not."""

    def __init__(
        self,
        models: ServedModels,
        *,
        metrics: Metrics,
        limits: TextLimits = TEXT_LIMITS,
        batching: BatchingParameters | None = DEFAULT_BATCHING,
    ) -> None:
        self.models = models
        self.limits = limits
        self.metrics = metrics
        self._batcher = Batcher(batching, self._observe_batch) if batching else None
        metrics.follow("nmt_queue_rows", "Rows that wait for a batch.", "model_name", self._rows_waiting)
        metrics.follow("nmt_model_ready", "1 where a version of the model answers.", "model_name", models.serving)

    @contextmanager
    def measured(self, name: str, *, entrypoint: str) -> Iterator[None]:
        """Counts and times a predict request; every exception leaves as a ServingError."""
        # A client may ask for any name: only those served become labels, or the page would grow without end.
        name = name if name in self.models.names else "unknown"
        started, code = time.perf_counter(), StatusCode.OK
        try:
            with self.metrics.in_progress.labels(entrypoint).track_inprogress():
                yield
        except Exception as error:
            failure = from_exception(error)
            code = failure.code
            raise failure from error
        finally:
            self.metrics.request_count.labels(name, code.name).inc()
            self.metrics.request_latency.labels(name, "Predict", entrypoint).observe(_microseconds(started))

    def predict(
        self,
        version: Version,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        timeout: float | None,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature of a version in use, together with other requests where that changes no answer.

        Args: timeout: seconds, None = as long as it takes; cancelled: asked from this thread, ten times a second,
            whether the client is gone, so that no more work is done for it.
        Raises: as ServedModel.run and Batcher.run.
        """
        if cancelled is not None and cancelled():
            raise ServingError(StatusCode.CANCELLED, "The client has gone")
        self._check(version, signature, inputs)
        self._count_source(version.name, inputs)
        assert version.model is not None
        started = time.perf_counter()
        call = divisible(version.model, signature, dict(inputs)) if self._batcher else None
        if self._batcher and call:
            outputs = self._batcher.run(call, dict(inputs), timeout=timeout, cancelled=cancelled)
        else:
            outputs = version.model.run(signature, inputs, timeout=timeout)
        self.metrics.runtime_latency.labels(version.name, "Predict", "TF1").observe(_microseconds(started))
        return outputs

    def close(self) -> None:
        """Ends the threads of batching; no request may be in progress."""
        if self._batcher:
            self._batcher.close()

    def _observe_batch(self, batch: Batch, waited: float) -> None:
        name = self.models.name_of(batch.shares[0].request.call.model)
        self.metrics.batch_size.labels(name).observe(batch.rows)
        self.metrics.queuing_latency.labels(name).observe(waited * 1e6)

    def _rows_waiting(self) -> dict[str, int]:
        """By model."""
        rows = dict.fromkeys(self.models.names, 0)
        for (model, _), waiting in self._batcher.waiting().items() if self._batcher else ():
            name = self.models.name_of(model)
            rows[name] = rows.get(name, 0) + waiting
        return rows

    def _count_source(self, name: str, inputs: Mapping[str, np.ndarray]) -> None:
        rows = next((len(array) for array in inputs.values() if array.ndim), 1)
        self.metrics.rows.labels(name).inc(rows)
        for array in inputs.values():
            if array.dtype == object:
                self.metrics.source_bytes.labels(name).inc(sum(map(len, array.reshape(-1))))
            elif np.issubdtype(array.dtype, np.integer):
                self.metrics.source_tokens.labels(name).inc(float(np.count_nonzero(array)))

    def _check(self, version: Version, signature: str, inputs: Mapping[str, np.ndarray]) -> None:
        """Raises ServingError INVALID_ARGUMENT for a signature that cannot be called, and for too much text."""
        if any(spec.dtype == "invalid" for spec in signatures_of(version)[signature].outputs.values()):
            raise invalid_argument(f'Serving signature "{signature}" initializes the model and has no outputs')
        self.limits.check(inputs)

    def status(self, name: str, number: int | None) -> dict[str, Any]:
        """A GetModelStatusResponse: all versions, newest first, or one; NOT_FOUND where there is none."""
        versions = self.models.versions(name)
        if not versions:
            raise ServingError(StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        if number is not None:
            versions = [version for version in versions if version[0] == number]
        if not versions:
            raise ServingError(StatusCode.NOT_FOUND, f"Could not find version {number} of model {name}")
        return {
            "model_version_status": [
                {"version": str(each), "state": state.name, "status": _status(error)} for each, state, error in versions
            ]
        }

    def signatures(self, name: str, number: int | None, label: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The resolved version, a ModelSpec, and its signatures, a SignatureDefMap."""
        with self.models.use(name, number=number, label=label) as version:
            definitions = {key: each.definition for key, each in signatures_of(version).items()}
        spec = {"name": name, "signature_name": "", "version": str(version.number)}
        return spec, {"signature_def": definitions}


def signatures_of(version: Version) -> Mapping[str, Signature]:
    assert version.model is not None
    return version.model.signatures


def _status(error: ServingError | None) -> dict[str, str]:
    code, message = (error.code, error.message) if error else (StatusCode.OK, "")
    return {"error_code": code.name, "error_message": without_directories(message)}


def _microseconds(started: float) -> int:
    return int((time.perf_counter() - started) * 1e6)
