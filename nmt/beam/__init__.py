"""The work on corpora that outgrow a machine, on any runner of Apache Beam: `nmt beam`.

Each pipeline calls the functions that the command for one machine calls, and writes the same files. Nothing here is
imported but by `nmt beam`, as Apache Beam is an extra.
"""

import logging

import lazy_loader

# Beam warns of packages that it uses elsewhere.
logging.getLogger().addFilter(lambda record: not str(record.msg).startswith(("apitools not", "Resource module is not")))

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
