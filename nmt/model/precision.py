"""Which precision of matrix products is faster on this machine."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import tensorflow as tf

# bfloat16 has to save as much at least: a tie goes to float32.
_WORTHWHILE = 0.8
_TURNS = 20


def choose_precision(setting: str, *, for_any: Callable[[bool], bool] = bool) -> str:
    """ "float32" or "bfloat16", as `setting` says; "auto" measures, and tells stderr what it found.

    Args:
        for_any: whether something is so for any of several workers: they must all compute alike.
    """
    if setting != "auto":
        return setting
    exact, narrow = _product_seconds()
    choice = "float32" if for_any(narrow > _WORTHWHILE * exact) else "bfloat16"
    milliseconds = f"{1e3 * exact:.2f} ms in float32, {1e3 * narrow:.2f} ms in bfloat16"
    print(f"precision: {choice} (a matrix product takes {milliseconds} here)", file=sys.stderr, flush=True)
    return choice


def _product_seconds() -> list[float]:
    """The time of a matrix product of the size an LSTM layer has, in float32 and in bfloat16: the shortest of many,
    taken in turns, for a machine may be busy with other work meanwhile.
    """
    products = []
    for dtype in (tf.float32, tf.bfloat16):
        left, right = tf.ones([512, 512], dtype), tf.ones([512, 2048], dtype)
        products.append(
            tf.function(
                lambda left=left, right=right: tf.reduce_sum(tf.cast(tf.matmul(left, right), tf.float32)),
                autograph=False,
            )
        )
    seconds = [math.inf] * len(products)
    for _ in range(_TURNS):
        for number, product in enumerate(products):
            began_at = time.perf_counter()
            float(product())
            seconds[number] = min(seconds[number], time.perf_counter() - began_at)
    return seconds
