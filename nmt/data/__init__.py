"""From pairs of lines to batches of ids, without ever holding more than a window of the corpus.

`dataset` is an epoch's `Batch`es as a tf.data.Dataset, and a `DataReport` counts what became of the pairs.
`make_batch` and `token_batches` make batches of anything else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
