"""Finding the best translation of token ids, and judging it.

`beam_search` and `sample` know no model: they ask a function for one step after the other, and return `Hypotheses`.
`translate_ids` runs them with models. `Calibration` turns what a search tells of itself into the chrF to expect, and
`FAULTS` names what may be wrong with a translation; these two need no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
