"""Translating with an ONNX export: NumPy and ONNX Runtime, no TensorFlow.

`OnnxModel` opens the directory that `nmt export --format onnx` wrote and runs its graphs, `OnnxEngine` searches
with it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
