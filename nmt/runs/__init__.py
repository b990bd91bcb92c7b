"""The directory that training writes and everything else reads.

`Run.open` opens one: its config, tokenizers, weights, calibration. `read_log` reads what its training logged, and
`describe_run` says in words what it is. TensorFlow is imported only to load a model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
