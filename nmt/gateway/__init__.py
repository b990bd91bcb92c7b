"""One server in front of any number of models, for clients that speak LibreTranslate's API, and a web page.

`nmt gateway` runs it. For visitors: `create_app` makes an ASGI application of `GatewaySettings`. Needs the packages of
the extra `gateway`, and TensorFlow only where a model is a run or an export of this machine.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
