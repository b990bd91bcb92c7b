"""Target text is tokenized verbatim: what normalization removes, no model could learn to write.

U+00A0, U+202F, "…", "²", "１２", joiners and two spaces in a row are characters like any other. Three things change:
text is composed (Unicode's NFC), control characters are removed (a tab or line end becomes a space), and so are spaces
at both ends of a line.

SentencePiece reserves three characters for itself. The vocabulary has noncharacters (Unicode, 23.7) for them, and the
model's denormalization rules turn these back when it decodes, in Python and in a graph alike.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import sentencepiece

from nmt.text.invisible import CONTROLS, WHITE_CONTROLS

if TYPE_CHECKING:
    import tensorflow as tf

# The name of this normalization in a SentencePiece model.
VERBATIM = "verbatim"
# Each space of a row but the last: SentencePiece collapses spaces.
EXTRA_SPACE = chr(0xFDE0)
# SentencePiece's marks of a space before a word and of an unknown character.
_MARK, _UNKNOWN = "\u2581", "\u2585"
_ESCAPES = [(_MARK, chr(0xFDE1)), (_UNKNOWN, chr(0xFDE2))]
RESERVED = EXTRA_SPACE + "".join(escape for _, escape in _ESCAPES)

_SHOWN = {ord(EXTRA_SPACE): _MARK, **{ord(escape): character for character, escape in _ESCAPES}}
_CONTROL, _WHITE_CONTROL = re.compile(f"[{CONTROLS}]"), re.compile(WHITE_CONTROLS)
_EXTRA_SPACES = re.compile(" (?= )")


def normalized(line: str) -> str:
    """A line composed (NFC), without control characters and without spaces at its ends."""
    return unicodedata.normalize("NFC", _CONTROL.sub("", _WHITE_CONTROL.sub(" ", line)).strip(" "))


def prepare(line: str, *, extra_spaces: bool = True) -> str:
    """A target line as it is handed to SentencePiece.

    Args:
        extra_spaces: False for a vocabulary without EXTRA_SPACE: spaces are collapsed.
    """
    return _EXTRA_SPACES.sub(EXTRA_SPACE if extra_spaces else "", normalized(line))


def normalizer() -> sentencepiece.SentencePieceNormalizer:
    """Escapes SentencePiece's own marks: the only rules that it applies to target text itself."""
    return sentencepiece.SentencePieceNormalizer(norm_map=_ESCAPES, add_dummy_prefix=False, escape_whitespaces=False)


def denormalizer() -> sentencepiece.SentencePieceNormalizer:
    """Turns the noncharacters in decoded text back."""
    rules = [(escape, character) for character, escape in (*_ESCAPES, (" ", EXTRA_SPACE))]
    return sentencepiece.SentencePieceNormalizer(
        norm_map=rules, add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=False
    )


def shown(piece: str) -> str:
    """A piece for readers: the characters that its noncharacters stand for, and "▁" for a space."""
    return piece.translate(_SHOWN)


def shown_in_graph(pieces: tf.Tensor) -> tf.Tensor:
    """`shown` of strings of any shape."""
    import tensorflow as tf  # here, so that `nmt check` does not wait for it

    for escape, character in _SHOWN.items():
        pieces = tf.strings.regex_replace(pieces, chr(escape), character)
    return pieces
