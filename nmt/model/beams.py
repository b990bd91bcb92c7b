"""Rows of a beam as further time steps of their sentence, so that what they read is stored once for each sentence."""

from __future__ import annotations

from nmt.layers.shapes import reshape, sizes


def group_rows(values, beam: int):
    """[batch * beam, time, size] -> [batch, beam * time, size]."""
    if beam == 1:
        return values
    rows, time, size = sizes(values)
    return reshape(values, rows // beam, beam * time, size)


def ungroup_rows(values, beam: int):
    """[batch, beam * time, size] -> [batch * beam, time, size]."""
    if beam == 1:
        return values
    batch, steps, size = sizes(values)
    return reshape(values, batch * beam, steps // beam, size)
