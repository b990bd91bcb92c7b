"""Scores of test sets.

`nmt.evaluate` translates a run's test sets and returns a `Report` of one `SetResult` a test set. Needs TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
