"""What a corpus holds, what is wrong with it, and which settings suit it. Nothing here imports TensorFlow.

`nmt.check` is the function behind `nmt check`, and a `Report` of `Finding`s is its answer; `profile_corpus` describes a
corpus, `hold_out` chooses pairs for validation and test, and `Request` is what `nmt init` is asked.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
