"""Training pairs that translators make of text in one language, and the config that trains on them.

`augment` is the function behind `nmt augment`: a `Request` says what it is asked for, its `Report` what was made
and what was left out. Imports no TensorFlow before something has to be translated.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
