"""The translating network, made of the layers of nmt.layers.

`build_model` makes a `Seq2Seq` of a config; its `encode` returns the memory and the first `DecoderState`, and its
decoder computes logits for whole sequences or single steps. Needs TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
