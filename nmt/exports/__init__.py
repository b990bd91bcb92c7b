"""SavedModels for TensorFlow Serving: writing them, opening them, translating with them.

`nmt.export` writes one, and `nmt.load` opens it as an `Endpoint`, which translates as a Translator does, as far as an
export can. `SavedModel` runs any signature of one as a server would. Endpoint needs no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
