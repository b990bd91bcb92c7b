"""Published architectures, as settings of the section `model`."""

from __future__ import annotations

from typing import Any

# Sizes as in the papers.
PRESETS: dict[str, dict[str, Any]] = {
    # Luong et al. 2015: 4 stacked layers of 1000, general score, input feeding.
    "luong": {
        "embedding_size": 1000,
        "units": 1000,
        "encoder": {"bidirectional_layers": 0, "layers": 4},
        "decoder": {"layers": 4, "input_feeding": True},
        "attention": {"score": "general"},
        "tied_embeddings": "none",
    },
    # Wu et al. 2016: one bidirectional and 7 residual layers of 1024, 8 in the decoder, additive attention.
    "gnmt": {
        "embedding_size": 1024,
        "units": 1024,
        "encoder": {"bidirectional_layers": 1, "layers": 7},
        "decoder": {"layers": 8},
        "attention": {"score": "additive"},
        "tied_embeddings": "none",
    },
    # Chen et al. 2018: 6 bidirectional and 8 decoder layers of 1024, layer normalization, 4 additive heads.
    "rnmt_plus": {
        "embedding_size": 1024,
        "units": 1024,
        "encoder": {"bidirectional_layers": 6, "layers": 0},
        "decoder": {"layers": 8},
        "attention": {"score": "additive", "heads": 4},
        "layer_normalization": True,
        "tied_embeddings": "none",
    },
}


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merges two nested dictionaries; where they disagree, `above` wins."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = merge(below[key], above[key])
    return merged
