"""The command line: a file for each command, which reads its arguments and calls what does the work.

`main` runs a command as `nmt` does, and returns its exit code. No TensorFlow is imported before a command needs it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
