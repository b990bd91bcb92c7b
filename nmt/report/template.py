"""What all HTML pages share: how templates become text, and how a plot is handed to them. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nmt.translation.heat_map import FORBIDDEN
from nmt.version import version


class Plot(NamedTuple):
    """A picture, what it shows, and its numbers: rows with a row of headings first, () where they are too many."""

    svg: Markup
    caption: str
    numbers: Sequence[Sequence[str]] = ()


def fill(template: str, *, rooms: Sequence[str] = (), **content: object) -> str:
    """The text of an HTML page, to be written in UTF-8.

    Args: template: a file of this room, or of one of `rooms`; content: what it names.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("nmt", room) for room in (*rooms, "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return FORBIDDEN.sub("\ufffd", environment.get_template(template).render(version=version(), **content))
