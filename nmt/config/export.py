"""Section `export`: how to serve."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nmt.config.section import Positive, Section


class ExportConfig(Section):
    name: str = Field(default="translator", pattern=r"^[\w.-]+$", description="Model name in URLs and configs.")
    n_best: Positive = Field(default=5, description="Translations of the n-best signature.")
    max_line_pieces: Positive = Field(
        default=20_000, description="What a line has beyond so many pieces is cut, and its `truncated` flag is set."
    )
    max_line_bytes: int = Field(
        default=2**18,
        ge=4,  # a character
        description="What a line has beyond so many bytes of UTF-8 is cut before it is read, and its `truncated` flag "
        "is set: a longer line takes time and memory only for what is kept.",
    )
    max_batch: int = Field(default=64, ge=64, description="Largest batch in the batching config; `nmt` sends 64.")
    onnx_precision: Literal["int8", "float32"] = Field(
        default="int8",
        description="Of an ONNX export: int8 is faster and a quarter as large; float32 says what the run does.",
    )
