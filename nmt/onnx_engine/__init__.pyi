from .sessions import OnnxModel as OnnxModel
