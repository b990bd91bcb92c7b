from .batches import Batch as Batch
from .batches import make_batch as make_batch
from .batches import token_batches as token_batches
from .dataset import dataset as dataset
from .preparation import Prepared as Prepared
from .preparer import Preparer as Preparer
from .report import DataReport as DataReport
