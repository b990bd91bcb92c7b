"""TensorFlow Serving's REST and gRPC API in Python, for machines without Docker.

`serve` serves an export until it is stopped; a `Server` does so in the background of a program, with the models that
`model_config` describes. gRPC and SavedModels need TensorFlow; REST and ONNX exports do not.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
