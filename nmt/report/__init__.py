"""What a run has become, as pages to look at: `nmt report`, and the heat maps of `nmt translate --alignments html`.

For visitors: `gather.gather` collects what there is to say of a run as a `Report`, `write_page` makes one HTML file
of it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
