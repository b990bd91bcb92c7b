"""Lines in, translations out.

A `Translation` holds a line's `Hypothesis` list and shows itself in notebooks. A `Translator` does the text work
above an `Engine`, which maps ids to hypotheses: `ModelEngine` does with models in this process. `nmt.load` makes
translators, and `calibrate_run` fits a run's confidence. Only these last two and ModelEngine need TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
