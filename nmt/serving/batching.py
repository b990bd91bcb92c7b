"""Batching across requests: rows of requests that wait at the same time run as one call of the model.

A batch of 16 short rows takes twice as long as one row, so requests that arrive while a batch runs are gathered and run
together. A large request is divided: each batch takes rows of the requests that had the least so far (start-time fair
queueing, Goyal et al. 1996, counted in bytes), so a short request waits for no more than the batches that run when it
comes. It is answered as if alone: a row's outputs do not depend on the other rows.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from nmt.exports.signatures import ServedModel
from nmt.serving.batching_parameters import BatchingParameters
from nmt.serving.error import Overloaded, ServingError, StatusCode, invalid_argument
from nmt.serving.joining import Arrays, Call, count_rows, join_rows, row_sizes, take_rows

BATCH_SECONDS = 0.1  # that a batch may take where others wait: what a short request waits for
FIRST_BUDGET = 4096  # rows x bytes of the longest row of a batch, until the speed is known
SMALLEST_BUDGET = 1024
SMALLEST_PART = 8  # rows: fewer are not divided among idle threads
POLL_SECONDS = 0.1  # how often a request that waits looks whether its client is still there


class _Queue:
    """The requests of one signature of one version."""

    def __init__(self, *, joins_requests: bool) -> None:
        self.joins_requests = joins_requests
        self.budget = FIRST_BUDGET
        self.requests: list[tuple[int, int, _Request]] = []  # a heap: least served first
        self.rows = 0  # that wait

    def due(self, parameters: BatchingParameters) -> float:
        """When its next batch may run, by the monotonic clock."""
        if self.rows >= parameters.max_batch_size or not parameters.batch_timeout_micros:
            return 0.0
        return min(request.arrived for *_, request in self.requests) + parameters.batch_timeout_micros * 1e-6


class _Request:
    """One client's rows and what became of them; its fields change under the lock of Batcher."""

    def __init__(self, call: Call, rows: Arrays, queue: _Queue, deadline: float | None) -> None:
        sizes = row_sizes(rows)
        self.order = np.argsort(sizes, kind="stable")  # by length, so that there is little padding in a share
        self.rows = take_rows(rows, self.order)
        self.sizes = sizes[self.order]
        self.call = call
        self.queue = queue
        self.deadline = deadline
        self.arrived = time.monotonic()
        self.taken = 0  # rows that a batch has
        self.running = 0  # shares
        self.answered: dict[int, Arrays] = {}  # of shares, by their first row
        self.error: Exception | None = None
        self.over = False  # answered, failed or given up: what is left of it does not run
        self.done = threading.Event()  # over, and none of its shares runs

    def outputs(self) -> Arrays:
        in_order = join_rows([self.answered[first] for first in sorted(self.answered)])
        return take_rows(in_order, np.argsort(self.order))


class _Share(NamedTuple):
    """The rows of a request that a batch has: those from `first` to `end`."""

    request: _Request
    first: int
    end: int

    @property
    def rows(self) -> Arrays:
        return take_rows(self.request.rows, slice(self.first, self.end))

    @property
    def sizes(self) -> np.ndarray:
        return self.request.sizes[self.first : self.end]


class Batch:
    """Shares that run as one call.

    Args: limit: how many rows it may have; budget: how many bytes, rows x longest, unless it is a single row.
    """

    def __init__(self, *, limit: int, budget: int) -> None:
        self._limit = limit
        self._budget = budget
        self.shares: list[_Share] = []
        self.rows = 0
        self.longest = 0  # bytes
        self.over_budget = False  # whether that left a row out

    def take(self, size: int) -> bool:
        """Whether it takes a row of this size."""
        longest = max(self.longest, size)
        self.over_budget = self.rows > 0 and (self.rows + 1) * longest > self._budget
        if self.over_budget or self.rows == self._limit:
            return False
        self.rows += 1
        self.longest = longest
        return True

    def timeout(self) -> float | None:
        """Seconds until nobody waits for it any more."""
        deadlines = [share.request.deadline for share in self.shares]
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(max(known) - time.monotonic(), 0.001) if len(known) == len(deadlines) else None


class Batcher:
    """Queues of requests and the threads that run them; `run` may be called from many threads at once.

    Args: parameters: as in TensorFlow Serving; observe: told of each batch when it starts, and how many seconds the
        request that came first has waited.
    """

    def __init__(self, parameters: BatchingParameters, observe: Callable[[Batch, float], None]) -> None:
        self._parameters = parameters
        self._observe = observe
        self._queues: WeakKeyDictionary[ServedModel, dict[str, _Queue]] = WeakKeyDictionary()
        self._changed = threading.Condition()
        self._clock = 0  # bytes that the least served request has had
        self._arrivals = itertools.count()
        self._idle = 0  # threads
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name=f"batches {lane}", daemon=True)
            for lane in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, call: Call, rows: Arrays, *, timeout: float | None, cancelled: Callable[[], bool] | None) -> Arrays:
        """The call's outputs for these rows (at least one), as if they ran alone.

        Args: timeout: seconds, None = as long as it takes; cancelled: asked ten times a second whether to give up.
        Raises: Overloaded where the queue is full; ServingError DEADLINE_EXCEEDED after `timeout` and CANCELLED where
            it is given up, both when none of its rows runs any more; as Call.run.
        """
        request = self._enqueue(call, rows, None if timeout is None else time.monotonic() + timeout)
        while not request.done.wait(_patience(request, polling=cancelled is not None)):
            if request.deadline is not None and time.monotonic() >= request.deadline:
                error = ServingError(StatusCode.DEADLINE_EXCEEDED, "The deadline of the request is over")
            elif cancelled is not None and cancelled():
                error = ServingError(StatusCode.CANCELLED, "The client has gone")
            else:
                continue
            with self._changed:
                _end(request, error)
        if request.error:
            raise request.error
        return request.outputs()

    def waiting(self) -> dict[tuple[ServedModel, str], int]:
        """How many rows wait, by model and signature."""
        with self._changed:
            return {
                (model, signature): queue.rows
                for model, queues in self._queues.items()
                for signature, queue in queues.items()
            }

    def close(self) -> None:
        """Ends the threads; no `run` may be in progress."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _enqueue(self, call: Call, rows: Arrays, deadline: float | None) -> _Request:
        capacity, count = self._parameters.max_batch_size * self._parameters.max_enqueued_batches, count_rows(rows)
        if count > capacity:
            raise invalid_argument(f"The request has {count} rows, its queue holds {capacity}: send fewer at a time")
        with self._changed:
            queues = self._queues.setdefault(call.model, {})
            queue = queues.setdefault(call.signature, _Queue(joins_requests=call.joins_requests))
            if queue.rows + count > capacity:
                raise Overloaded("The batch scheduling queue to which this task was submitted is full")
            request = _Request(call, rows, queue, deadline)
            queue.rows += count
            heapq.heappush(queue.requests, (self._clock, next(self._arrivals), request))
            self._changed.notify()
        return request

    def _work(self, lane: int) -> None:
        while batch := self._next_batch():
            started = time.monotonic()
            self._run(batch, lane)
            _adapt(batch.shares[0].request.queue, batch, seconds=time.monotonic() - started)

    def _next_batch(self) -> Batch | None:
        """Waits for a batch; None where there will be none."""
        with self._changed:
            while True:
                queues = [queue for queues in self._queues.values() for queue in queues.values() if _clean(queue)]
                now = time.monotonic()
                due = [(queue.due(self._parameters), queue.requests[0][:2], queue) for queue in queues]
                ready = [(place, queue) for at, place, queue in due if at <= now]
                if ready:
                    return self._cut(min(ready, key=lambda each: each[0])[1])
                if self._closing:
                    return None
                self._idle += 1
                self._changed.wait(min((at - now for at, *_ in due), default=None))
                self._idle -= 1

    def _cut(self, queue: _Queue) -> Batch:
        """Takes rows of the least served requests, as many as fit; the lock is held."""
        # Threads without work get their part of a large request, too.
        part = max(SMALLEST_PART, -(-queue.rows // (1 + self._idle)))
        batch = Batch(limit=min(self._parameters.max_batch_size, part), budget=queue.budget)
        complete = False
        while not complete and _clean(queue):
            served, arrival, request = heapq.heappop(queue.requests)
            self._clock = max(self._clock, served)
            others = queue.requests[0][0] if queue.requests and queue.joins_requests else math.inf
            first = request.taken
            while served <= others and request.taken < len(request.sizes):
                size = int(request.sizes[request.taken])
                if not batch.take(size):
                    complete = True
                    break
                served += size
                request.taken += 1
            if request.taken < len(request.sizes):
                heapq.heappush(queue.requests, (served, arrival, request))
            if request.taken > first:
                batch.shares.append(_Share(request, first, request.taken))
                request.running += 1
                queue.rows -= request.taken - first
            complete |= not queue.joins_requests
        self._changed.notify()  # there may be rows for another thread
        return batch

    def _run(self, batch: Batch, lane: int) -> None:
        try:
            self._observe(batch, time.monotonic() - min(share.request.arrived for share in batch.shares))
            self._answer(batch.shares, batch.timeout(), lane)
        except Exception as error:  # whatever it is: the thread has to go on
            if len(batch.shares) == 1:
                self._fail(batch.shares[0], error)
                return
            for share in batch.shares:  # so that only those fail that fail alone
                if share.request.over:
                    self._fail(share, error)
                    continue
                try:
                    self._answer([share], batch.timeout(), lane)
                except Exception as own:
                    self._fail(share, own)

    def _answer(self, shares: list[_Share], timeout: float | None, lane: int) -> None:
        order = np.argsort(np.concatenate([share.sizes for share in shares]), kind="stable")
        rows = take_rows(join_rows([share.rows for share in shares]), order)
        outputs = take_rows(shares[0].request.call.run(rows, timeout=timeout, lane=lane), np.argsort(order))
        start = 0
        for share in shares:
            end = start + share.end - share.first
            self._finish(share, take_rows(outputs, slice(start, end)))
            start = end

    def _finish(self, share: _Share, outputs: Arrays) -> None:
        request = share.request
        with self._changed:
            request.running -= 1
            request.answered[share.first] = outputs
            if request.over or (request.taken == len(request.sizes) and not request.running):
                _end(request)

    def _fail(self, share: _Share, error: Exception) -> None:
        with self._changed:
            share.request.running -= 1
            _end(share.request, error)


def _patience(request: _Request, *, polling: bool) -> float | None:
    """Seconds until a request that waits has something to look for."""
    if request.over:  # waiting for its rows that run
        return None
    remaining = math.inf if request.deadline is None else max(0.0, request.deadline - time.monotonic())
    patience = min(remaining, POLL_SECONDS if polling else math.inf)
    return None if patience == math.inf else patience


def _end(request: _Request, error: Exception | None = None) -> None:
    """Ends a request, if it has not ended, and wakes who waits for it when none of its rows runs; the lock is held."""
    if not request.over:
        request.over, request.error = True, error
        request.queue.rows -= len(request.sizes) - request.taken
    if not request.running:
        request.done.set()


def _clean(queue: _Queue) -> bool:
    """Forgets requests that are over; whether there are others."""
    while queue.requests and queue.requests[0][-1].over:
        heapq.heappop(queue.requests)
    return bool(queue.requests)


def _adapt(queue: _Queue, batch: Batch, *, seconds: float) -> None:
    """Sets the budget of the next batches by how long this one took."""
    budget = batch.rows * batch.longest * min(max(BATCH_SECONDS / max(seconds, 1e-3), 0.5), 2.0)
    if batch.over_budget or (seconds > BATCH_SECONDS and batch.rows > 1 and budget < queue.budget):
        queue.budget = max(int(budget), SMALLEST_BUDGET)
