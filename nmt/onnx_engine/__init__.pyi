from .engine import OnnxEngine as OnnxEngine
from .sessions import OnnxModel as OnnxModel
