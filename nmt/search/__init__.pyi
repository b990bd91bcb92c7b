from .confidence import Calibration as Calibration
from .confidence import TooFewLinesError as TooFewLinesError
from .definitions import Hypotheses as Hypotheses
from .faults import FAULTS as FAULTS
from .search import beam_search as beam_search
from .search import sample as sample
