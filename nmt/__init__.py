"""Neural machine translation with LSTMs: train from one YAML file, translate, serve.

    >>> import nmt
    >>> nmt.check("job.yaml").errors
    []
    >>> run = nmt.train("job.yaml")
    >>> translator = nmt.load(run, alignments=True)
    >>> translation, = translator.translate(["old cat sees tree"])
    >>> translation.alignment.shape == (len(translation.n_best[0].pieces), len(translation.source_pieces))
    True
    >>> version = nmt.export(run, "export", overrides=["search.beam_size=2"])
    >>> nmt.load("export").translate(["small house", ""])[1].text
    ''

Names that this package and its rooms export are public. Importing it imports no TensorFlow; the functions do, when they
need it. docs/architecture.md shows the rooms.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
