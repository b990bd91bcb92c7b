"""Files of translators and programmers with their texts translated, everything else byte for byte as it was.

`translate_document` takes a file and anything that translates lines. A format's file says where its texts are; what a
text keeps while it is translated, its tags and placeholders, is in `markup` and `kept`. Imports no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
