"""Builds the small SavedModels that rest_cases.json and the serving tests refer to.

usage: python make_fixtures.py OUTPUT_DIRECTORY
"""

import sys
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

FLOAT, STRING, VECTOR = tf.float32, tf.string, [None]


def signature(function: Callable, **specs: tuple) -> tf.types.experimental.PolymorphicFunction:
    """A signature whose inputs are `name=(dtype, shape)`; the shape None is any."""
    inputs = [tf.TensorSpec(shape, dtype, name=name) for name, (dtype, shape) in specs.items()]
    return tf.function(function, input_signature=inputs, autograph=False)


def save(directory: Path, signatures: dict) -> None:
    module = tf.Module()
    module.functions = signatures
    tf.saved_model.save(module, str(directory), signatures=signatures)


def save_half_plus(directory: Path, bias: float) -> None:
    """y = x / 2 + bias, for x of any shape."""
    save(directory, {"serving_default": signature(lambda x: {"y": x * 0.5 + bias}, x=(FLOAT, None))})


def save_slow(directory: Path) -> None:
    """Counts to x; endless for all a test cares, where x is large."""

    def count(x: tf.Tensor) -> dict:
        (counted,) = tf.while_loop(lambda n: n < x[0], lambda n: (n + 1.0,), (0.0,))
        return {"y": tf.reshape(counted, [1])}

    save(directory, {"serving_default": signature(count, x=(FLOAT, VECTOR))})


def save_echo(directory: Path) -> None:
    """text -> the text in upper case (ASCII) and minus its length in bytes."""

    def upper(text: tf.Tensor) -> dict:
        return {"translation": tf.strings.upper(text), "score": -tf.cast(tf.strings.length(text), FLOAT)}

    signatures = {
        "serving_default": signature(upper, text=(STRING, VECTOR)),
        "identity": signature(lambda text: {"out": tf.identity(text)}, text=(STRING, None)),
        "identity_bytes": signature(lambda text: {"out_bytes": tf.identity(text)}, text=(STRING, None)),
    }
    save(directory, signatures)


def save_multi(directory: Path) -> None:
    """Two inputs, two outputs."""

    def both(a: tf.Tensor, s: tf.Tensor) -> dict:
        return {"sum": tf.reduce_sum(a, 1), "s2": s + "!"}

    save(directory, {"serving_default": signature(both, a=(FLOAT, [None, 2]), s=(STRING, VECTOR))})


def save_types(directory: Path) -> None:
    """One signature a dtype, and some that fail."""

    def same(x: tf.Tensor) -> dict:
        return {"y": tf.identity(x)}

    def plus_one(x: tf.Tensor) -> dict:
        return {"y": x + 1}

    signatures = {
        "i32": signature(plus_one, x=(tf.int32, None)),
        "i64": signature(plus_one, x=(tf.int64, None)),
        "i8": signature(same, x=(tf.int8, None)),
        "u8": signature(same, x=(tf.uint8, None)),
        "bool": signature(lambda x: {"y": tf.logical_not(x)}, x=(tf.bool, None)),
        "f32": signature(same, x=(tf.float32, None)),
        "f64": signature(same, x=(tf.float64, None)),
        "half": signature(same, x=(tf.float16, None)),
        "scalar_out": signature(lambda x: {"y": tf.reduce_sum(x)}, x=(FLOAT, None)),
        "bad_batch": signature(lambda x: {"a": tf.identity(x), "b": x[:1]}, x=(FLOAT, VECTOR)),
        "complex_out": signature(lambda x: {"y": tf.complex(x, x)}, x=(FLOAT, VECTOR)),
        "fails": signature(lambda x: {"y": tf.reshape(x, [3, 7])}, x=(FLOAT, VECTOR)),
    }
    save(directory, signatures)


def make_fixtures(directory: Path) -> None:
    save_half_plus(directory / "half_plus_two" / "123", 2.0)
    save_half_plus(directory / "half_plus_two" / "124", 3.0)
    save_echo(directory / "echo" / "1")
    save_multi(directory / "multi" / "1")
    save_types(directory / "types" / "1")


if __name__ == "__main__":
    make_fixtures(Path(sys.argv[1]))
