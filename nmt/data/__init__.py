"""From pairs of lines to batches of ids, by way of files.

A `Preparer` writes the token ids of each epoch as TFRecords, and `dataset` reads these as `Batch`es, without Python for
a pair or a batch. A `DataReport` counts what became of the pairs. `make_batch` and `token_batches` make batches of
anything else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
