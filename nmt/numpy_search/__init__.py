"""Search in NumPy, for engines without TensorFlow: beam search, sampling, rules, guard, features, shortlist.

It follows `nmt.search` function by function and finds the same hypotheses. The model enters as one function (`Step`),
which gives the likeliest next tokens rather than the scores of all.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
