"""Translating through a server.

`connect` opens `http://host:8501` or `grpc://host:8500` as an `Endpoint`, as `nmt.load` does; `connect_async` is
for asyncio. Over REST neither needs TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
