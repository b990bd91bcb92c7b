"""What all routes share: the gateway, who may ask, and parameters that FastAPI fills in. No TensorFlow by itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from nmt.documents.document import read_text
from nmt.documents.html_document import read_html
from nmt.gateway.access import Access
from nmt.gateway.gateway import Gateway
from nmt.gateway.messages import ErrorResponse
from nmt.gateway.settings import GatewaySettings
from nmt.gateway.suggestions import Suggestions
from nmt.gateway.translated_files import TranslatedFiles

READERS = {"text": read_text, "html": read_html}  # by format

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "The request is wrong, or a limit is exceeded."},
    403: {"model": ErrorResponse, "description": "The API key is wrong, or the gateway does not do this."},
    413: {"model": ErrorResponse, "description": "The request is too large."},
    429: {"model": ErrorResponse, "description": "Too many requests, or too many characters."},
    503: {"model": ErrorResponse, "description": "A model does not answer."},
}


class Service:
    """What the routes share."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.gateway = Gateway(settings.models, seconds=settings.limits.model_seconds)
        self.access = Access(settings)
        self.suggestions = Suggestions(settings.suggestions)
        self.files = TranslatedFiles()


async def _service(request: Request) -> Service:
    return request.app.state.service


async def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


# Both are asynchronous, as FastAPI runs others in a thread, which takes longer than they do.
Shared = Annotated[Service, Depends(_service)]
Address = Annotated[str, Depends(_address)]
