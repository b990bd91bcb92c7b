"""Removes invisible characters from source lines: soft hyphens, zero-width spaces, direction marks, control codes.

Web pages, PDFs and word processors leave them in text, where they split a word into pieces that the model has never
seen. Invisible are Unicode's default-ignorable code points (Default_Ignorable_Code_Point in DerivedCoreProperties.txt,
Unicode 16.0) and control characters (category Cc); white-space controls (tab, line ends, form feed) become a space.

Joiners stay where a script or an emoji needs them: right behind its letters. Python and the graph use the same regular
expressions, which Python's `re` and RE2 read alike. Imports no TensorFlow by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

EMOJI = "\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff"
# What may follow an emoji as part of it: joiner, variation selectors, the tags of some flags.
EMOJI_PARTS = "\u200d\ufe0e\ufe0f\U000e0020-\U000e007f"
KEYCAP = "[0-9#*]\ufe0f?\u20e3"

SPACE = "[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"  # white space within a line
LINE_END = "[\n\r\x0b\x0c\u2028\u2029]"
BLANK = f"(?:{SPACE}|{LINE_END})*"  # all of a text in which nothing is visible
WHITE_CONTROLS = r"[\t-\r]"
CONTROLS = r"\x00-\x08\x0e-\x1f\x7f-\x9f"
DEFAULT_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# From Arabic to Burmese, Khmer to Mongolian, and related scripts: joiners (in Mongolian also variation selectors)
# decide the shape of their letters, at the end of a word too.
_JOINING_SCRIPTS = (
    "\u0600-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uaaff\uabc0-\uabff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00011fff\U0001e900-\U0001e95f"
)
_JOINERS = "\u180b-\u180f\u200c\u200d"
_INVISIBLE = f"[{CONTROLS}{DEFAULT_IGNORABLE}]|([{_JOINING_SCRIPTS}][{_JOINERS}]+|{KEYCAP}|[{EMOJI}][{EMOJI_PARTS}]+)"
SUBSTITUTIONS = ((WHITE_CONTROLS, " "), (_INVISIBLE, r"\1"))  # all that `visible` does, in order
_FIND = re.compile(_INVISIBLE)
_COMPILED = [(re.compile(pattern), replacement) for pattern, replacement in SUBSTITUTIONS]


def visible(line: str) -> str:
    """A line without its invisible characters."""
    for pattern, replacement in _COMPILED:
        line = pattern.sub(replacement, line)
    return line


def invisible_characters(line: str) -> list[str]:
    """The characters that `visible` removes from a line, in order."""
    return [found[0] for found in _FIND.finditer(line) if found[1] is None]


def visible_in_graph(lines: tf.Tensor) -> tf.Tensor:
    """`visible` of strings of any shape; bytes that are not UTF-8 stay."""
    import tensorflow as tf  # here, so that `nmt check` does not wait for it

    for pattern, replacement in SUBSTITUTIONS:
        lines = tf.strings.regex_replace(lines, pattern, replacement)
    return lines
