"""The training loop. Needs TensorFlow, except for the exception.

Visitors train with `nmt.train`. It raises `Interrupted` when it is told to stop, after the run is saved; called again,
it continues. callbacks.py describes the logs that Keras callbacks get.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
