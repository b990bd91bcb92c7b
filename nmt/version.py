"""The version, as the installed distribution has it."""

from __future__ import annotations

from importlib import metadata

DISTRIBUTION = "recurrent-nmt"  # its name on PyPI, where `nmt` is another project


def version() -> str:
    """Such as "0.1.0"."""
    return metadata.version(DISTRIBUTION)
