from .step import Step as Step
from .step import StepScores as StepScores
