"""Lines of text, and the pieces that models read and write. Nothing here imports TensorFlow by itself.

`read_lines` and `read_pairs` read corpora; a `Tokenizer` turns lines into ids and back; `Protection` replaces
what must not change by symbols, and so the terms of a `Glossary`; `Splitter` cuts long lines into chunks; `score`,
`sentence_chrf`, `bootstrap` and `paired_bootstrap` are sacrebleu's metrics with their signatures. What exists in a
graph, too, is named `..._in_graph`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
