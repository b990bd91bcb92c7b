"""Reads a model config file again and again, so that models and labels change without a restart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nmt.serving.model_configs import read_model_configs
from nmt.serving.served_models import ServedModels

logger = logging.getLogger(__name__)


@contextmanager
def polled_config_file(path: str | Path, models: ServedModels, *, seconds: float) -> Iterator[None]:
    """Meanwhile serves what the file, read every so many seconds, changes to. A mistake in it changes nothing."""
    closing = threading.Event()
    served = models.configs

    def poll() -> None:
        nonlocal served
        while not closing.wait(seconds):
            try:
                configs = read_model_configs(path)
                if configs != served:
                    models.reload(configs)
                    logger.info("%s has changed and is served: %s", path, ", ".join(models.names))
                    served = configs
            except (OSError, ValueError) as error:
                logger.error("%s; the models stay as they were", error)

    thread = threading.Thread(target=poll, name="model config file", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()
