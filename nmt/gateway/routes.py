"""LibreTranslate's API: each function answers one address. Imports no TensorFlow by itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, HTTPException, Request, Response, UploadFile
from pydantic import BaseModel

from nmt.gateway.access import Access
from nmt.gateway.detection import Detected
from nmt.gateway.documents import Translated, read_text
from nmt.gateway.gateway import Gateway, name_of
from nmt.gateway.html_document import read_html
from nmt.gateway.messages import (
    ApiKey,
    DetectedLanguage,
    DetectRequest,
    ErrorResponse,
    FileResponse,
    HealthResponse,
    Language,
    LanguageResponse,
    LineDetails,
    SettingsResponse,
    SuggestRequest,
    SuggestResponse,
    TranslateRequest,
    TranslateResponse,
    read_message,
)
from nmt.gateway.settings import GatewaySettings
from nmt.gateway.suggestions import Suggestions
from nmt.gateway.translated_files import TranslatedFiles
from nmt.text.glossary import Glossary

READERS = {"text": read_text, "html": read_html}  # by format
FORMATS = {".txt": "text", ".html": "html", ".htm": "html"}  # by the end of a file's name
TYPING_PAUSE = 300  # milliseconds
DECIMALS = 4  # of attention
FILES_AT_A_TIME = 4  # as each may take minutes, and as long a thread that others wait for

_ERRORS: dict[int | str, dict[str, Any]] = {
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
        self.file_places = threading.BoundedSemaphore(FILES_AT_A_TIME)


def _service(request: Request) -> Service:
    return request.app.state.service


def _message(kind: type[BaseModel]) -> Any:
    """A parameter that is the request's fields."""

    async def read(request: Request) -> BaseModel:
        return await read_message(request, kind)

    return Depends(read)


def _body(kind: type[BaseModel]) -> dict[str, Any]:
    """How OpenAPI describes a body of these fields."""
    schema = kind.model_json_schema()
    types = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
    return {"requestBody": {"required": True, "content": {each: {"schema": schema} for each in types}}}


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


Shared = Annotated[Service, Depends(_service)]
Address = Annotated[str, Depends(_address)]
router = APIRouter()


@router.get("/health", summary="Whether the gateway runs")
async def health() -> HealthResponse:
    return HealthResponse()


@router.get("/languages", summary="Languages, and what each can be translated into")
async def languages(service: Shared) -> list[LanguageResponse]:
    directions = service.gateway.directions
    return [
        LanguageResponse(code=code, name=name_of(code), targets=directions.targets(code))
        for code in directions.languages
    ]


@router.post(
    "/translate",
    summary="Translate texts",
    responses=_ERRORS,
    response_model_exclude_unset=True,
    openapi_extra=_body(TranslateRequest),
)
def translate(
    request: Annotated[TranslateRequest, _message(TranslateRequest)], service: Shared, address: Address
) -> TranslateResponse:
    texts = request.q if isinstance(request.q, list) else [request.q]
    _check_size(texts, service.settings)
    glossary = _read_glossary(request.glossary)
    service.access.admit(request.api_key, address, characters=sum(map(len, texts)))
    documents = [READERS[request.format](text) for text in texts]
    languages = service.gateway.source_languages(documents, request.source)
    found = service.gateway.translate(
        documents,
        [each.language for each in languages],
        request.target,
        alternatives=request.alternatives,
        details=request.details,
        glossary=glossary,
    )
    answer: dict[str, list[Any]] = {"translatedText": [each.text for each in found]}
    if request.source == "auto":
        answer["detectedLanguage"] = [_detected(each) for each in languages]
    if request.alternatives:
        answer["alternatives"] = [each.alternatives for each in found]
    as_asked = answer if isinstance(request.q, list) else {field: values[0] for field, values in answer.items()}
    if request.details:
        as_asked["details"] = [_details(each) for each in found]
    return TranslateResponse.model_validate(as_asked)


@router.post("/translate_file", summary="Translate a file", responses=_ERRORS)
def translate_file(
    request: Request,
    service: Shared,
    address: Address,
    file: Annotated[UploadFile, File(description=f"UTF-8 text or HTML: {', '.join(FORMATS)}")],
    source: Annotated[Language, Form()],
    target: Annotated[Language, Form()],
    api_key: Annotated[ApiKey, Form()] = None,
) -> FileResponse:
    suffix = PurePath(file.filename or "").suffix.lower()
    if suffix not in FORMATS:
        raise HTTPException(400, f"file: {suffix or 'no ending'} came, one of {', '.join(FORMATS)} was expected")
    try:
        text = file.file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HTTPException(400, f"file: not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start}") from None
    service.access.admit(api_key, address, characters=len(text))
    if not service.file_places.acquire(blocking=False):
        raise HTTPException(503, "too many files are being translated; try again later", headers={"Retry-After": "10"})
    try:
        documents = [READERS[FORMATS[suffix]](text)]
        languages = [each.language for each in service.gateway.source_languages(documents, source)]
        (found,) = service.gateway.translate(documents, languages, target)
    finally:
        service.file_places.release()
    name = service.files.keep(found.text.encode(), suffix)
    return FileResponse(translatedFileUrl=str(request.url_for("download_file", name=name)))


@router.get(
    "/download_file/{name}",
    summary="Fetch a translated file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, 404: _ERRORS[400]},
)
def download_file(name: str, service: Shared) -> Response:
    content = service.files.read(name)
    if content is None:
        raise HTTPException(404, "there is no such file; translated files are kept for an hour")
    # Never shown as a page of this server: it is somebody's HTML.
    disposition = {"Content-Disposition": f'attachment; filename="translated{PurePath(name).suffix}"'}
    return Response(content, media_type="application/octet-stream", headers=disposition)


@router.post("/detect", summary="Detect the language of a text", responses=_ERRORS, openapi_extra=_body(DetectRequest))
def detect(
    request: Annotated[DetectRequest, _message(DetectRequest)], service: Shared, address: Address
) -> list[DetectedLanguage]:
    _check_size([request.q], service.settings)
    service.access.admit(request.api_key, address, characters=0)
    return [_detected(each) for each in service.gateway.detect(request.q)]


@router.post("/suggest", summary="Suggest a translation", responses=_ERRORS, openapi_extra=_body(SuggestRequest))
def suggest(
    request: Annotated[SuggestRequest, _message(SuggestRequest)], service: Shared, address: Address
) -> SuggestResponse:
    _check_size([request.q, request.s], service.settings)
    service.access.admit(request.api_key, address, characters=0)
    service.suggestions.add(request.model_dump(exclude={"api_key"}))
    return SuggestResponse(success=True)


@router.get("/frontend/settings", summary="What a page has to know")
async def frontend_settings(service: Shared) -> SettingsResponse:
    settings = service.settings
    source, target = ({"code": code, "name": name_of(code)} for code in service.gateway.usual)
    return SettingsResponse.model_validate(
        {
            "charLimit": settings.limits.characters,
            "frontendTimeout": TYPING_PAUSE,
            "apiKeys": bool(settings.keys),
            "keyRequired": settings.key_required,
            "suggestions": settings.suggestions is not None,
            "filesTranslation": True,
            "supportedFilesFormat": list(FORMATS),
            "glossary": True,
            "language": {"source": source, "target": target},
        }
    )


def _check_size(texts: Sequence[str], settings: GatewaySettings) -> None:
    most = settings.limits
    if len(texts) > most.texts:
        raise HTTPException(400, f"q: {len(texts)} texts came, at most {most.texts} are allowed")
    if (characters := sum(map(len, texts))) > most.characters:
        raise HTTPException(400, f"q: {characters} characters came, at most {most.characters} are allowed")


def _read_glossary(terms: Sequence[tuple[str, str]]) -> Glossary | None:
    """Raises HTTPException 400 for what is none."""
    targets = dict(terms)
    try:
        for source, target in terms:
            if targets[source] != target:
                raise ValueError(f"{source!r} is {target!r} here, and {targets[source]!r} there")
        return Glossary(targets) if targets else None
    except ValueError as error:
        raise HTTPException(400, f"glossary: {error}") from None


def _detected(found: Detected) -> DetectedLanguage:
    return DetectedLanguage(language=found.language, confidence=found.confidence)


def _details(translated: Translated) -> list[LineDetails]:
    return [
        LineDetails(
            confidence=line.confidence,
            sourcePieces=list(line.source_pieces),
            targetPieces=list(line.n_best[0].pieces),
            alignment=[] if line.alignment is None else line.alignment.astype(float).round(DECIMALS).tolist(),
        )
        for line in translated.translations
    ]
