"""The names of what may be wrong with a translation; guard.py finds it. Imports no TensorFlow."""

FAULTS = ("repetition", "length", "coverage")  # the columns of Hypotheses.faults
