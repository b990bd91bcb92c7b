"""Which pairs of a corpus are not worth training on, and why: `nmt clean`. Nothing here imports TensorFlow.

`judge` is a pure function of pairs, `Tally` counts that can be added up: both can run in many places at once.
`clean` reads a job's training corpora, and writes what is left of them, what was removed, and a report.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
