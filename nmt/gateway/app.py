"""The gateway as an ASGI application: the routes, the page, and errors as {"error": ...}.

Imports no TensorFlow by itself.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from nmt.gateway import file_routes, routes
from nmt.gateway.body_limit import BodyLimit
from nmt.gateway.models import Directions, ModelError
from nmt.gateway.service import Service
from nmt.gateway.settings import GatewaySettings
from nmt.version import version

PAGE = Path(__file__).parent / "page"
PAGE_HEADERS = {
    # The page asks its own server only, and no other page may frame it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked for again each time, and answered with 304 where it is the same
}

MAX_SHOWN = 60  # characters of a wrong value in an error

_log = logging.getLogger("nmt.gateway")


def create_app(settings: GatewaySettings) -> FastAPI:
    """The application of a gateway.

    Raises: ValueError where a model's address is no server, export or run.
    """
    app = FastAPI(title="nmt gateway", version=version(), openapi_url="/spec", docs_url=None, redoc_url=None)
    app.state.service = Service(settings)
    app.include_router(routes.router)
    app.include_router(file_routes.router)
    page = _Page(directory=PAGE, html=True)
    for name in ("", *(file.name for file in PAGE.iterdir())):
        app.router.routes.append(Route(f"/{name}", page, methods=["GET", "HEAD"]))
    _describe_languages(app.openapi(), app.state.service.gateway.directions)
    app.add_middleware(BodyLimit, most=settings.limits.body_bytes, seconds=settings.limits.body_seconds)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ModelError, _model_failed)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)
    return app


def _describe_languages(spec: dict[str, Any], directions: Directions) -> None:
    """Which languages a request may name, in the description of the API."""
    known = {"source": [*directions.sources, "auto"], "target": directions.languages}
    for path in ("/translate", "/translate_file"):
        for content in spec["paths"][path]["post"]["requestBody"]["content"].values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            schema = spec["components"]["schemas"][name] if name else content["schema"]
            for field, languages in known.items():
                schema["properties"][field]["enum"] = languages


class _Page(StaticFiles):
    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *args, **options)
        response.headers.update(PAGE_HEADERS)
        return response


def _refused(request: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _invalid(request: Request, error: Any) -> Response:
    """Names the field that is wrong, what was expected of it and what came."""
    # A field of several types has an error for each; that of the type which came says most.
    wrong = max(error.errors(), key=lambda each: (len(each["loc"]), not each["type"].endswith("_type")))
    keys = [key for key in wrong["loc"] if key != "body"]
    where = "".join([str(each) for each in keys[:1]] + [f"[{key}]" for key in keys[1:] if isinstance(key, int)])
    if wrong["type"] == "missing":
        return JSONResponse({"error": f"{where} is missing"}, 400)
    came = "" if wrong["type"] == "json" else f", {_shown(wrong['input'])} came"
    return JSONResponse({"error": ": ".join(filter(None, (where, wrong["msg"] + came)))}, 400)


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."


def _model_failed(request: Request, error: Any) -> Response:
    """What is said of a model names no address: only the log does."""
    _log.error("%s: %s", error.direction, error.reason)
    if isinstance(error.reason, ConnectionError):
        message = f"the model {error.direction} does not answer; try again later"
        return JSONResponse({"error": message}, 503, {"Retry-After": "5"})
    return JSONResponse({"error": f"the model {error.direction} could not translate this"}, 500)


def _gone(request: Request, error: Any) -> Response:
    """For a client that hung up before its request was read: nobody gets it, and the log needs no word about it."""
    return Response(status_code=400)


def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the gateway failed; its log may say more"}, 500)
