"""Translating through a server.

`connect` opens `http://host:8501` or `grpc://host:8500` as an `Endpoint`; `nmt.load` does so, too. Over REST it needs
no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
