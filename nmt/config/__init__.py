"""The settings of a job: one YAML file describes one job.

    from nmt.config import load_config

    config = load_config("configs/demo.yaml", ["search.beam_size=1"])
    print(config.search.beam_size, config.model.units)

`Config` is the whole tree, with one class per section. All of it is immutable and checked when it is read.
Nothing here imports TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
