"""Rows of a beam as further steps of their sentence."""

import numpy as np
import pytest

from nmt.layers.attention import SCORES, Attention
from nmt.model.beams import group_rows, ungroup_rows

BATCH, TIME, SOURCE_TIME, UNITS, BEAM = 3, 2, 5, 6, 4
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]], bool)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("score", SCORES)
def test_a_beam_reads_one_memory_as_if_each_of_its_rows_had_it(score, heads):
    random = np.random.default_rng(0)
    queries, values = random.normal(size=(BATCH * BEAM, TIME, UNITS)), random.normal(size=(BATCH, SOURCE_TIME, UNITS))
    layer = Attention(UNITS, score=score, heads=heads, dtype="float64")
    layer.build(queries.shape, values.shape)

    shared = layer.attend(group_rows(queries, BEAM), layer.memorize(values, MASK))
    repeated = layer.memorize(np.repeat(values, BEAM, axis=0), np.repeat(MASK, BEAM, axis=0))
    for found, expected in zip(shared, layer.attend(queries, repeated), strict=True):
        np.testing.assert_allclose(ungroup_rows(found, BEAM), expected, atol=1e-12)
