from .calibrate import calibrate_run as calibrate_run
from .engine import Engine as Engine
from .engine import SearchResult as SearchResult
from .model_engine import ModelEngine as ModelEngine
from .translation import Hypothesis as Hypothesis
from .translation import Translation as Translation
from .translator import Translator as Translator
