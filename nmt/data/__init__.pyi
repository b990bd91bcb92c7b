from .batches import Batch as Batch
from .batches import DataReport as DataReport
from .batches import dataset as dataset
from .batches import make_batch as make_batch
from .batches import token_batches as token_batches
