from .sampling import sample as sample
from .search import beam_search as beam_search
from .step import Step as Step
from .step import StepScores as StepScores
