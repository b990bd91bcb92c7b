"""LibreTranslate's API: each function answers one address. Imports no TensorFlow by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel

from nmt.documents.document import Translated
from nmt.gateway.detection import Detected
from nmt.gateway.file_routes import FORMATS
from nmt.gateway.gateway import name_of
from nmt.gateway.messages import (
    DetectedLanguage,
    DetectRequest,
    HealthResponse,
    LanguageResponse,
    LineDetails,
    SettingsResponse,
    SuggestRequest,
    SuggestResponse,
    TranslateRequest,
    TranslateResponse,
    read_message,
)
from nmt.gateway.service import ERRORS, READERS, Address, Shared
from nmt.gateway.settings import GatewaySettings
from nmt.text.glossary import Glossary

TYPING_PAUSE = 300  # milliseconds
DECIMALS = 4  # of attention


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
    responses=ERRORS,
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


@router.post("/detect", summary="Detect the language of a text", responses=ERRORS, openapi_extra=_body(DetectRequest))
def detect(
    request: Annotated[DetectRequest, _message(DetectRequest)], service: Shared, address: Address
) -> list[DetectedLanguage]:
    _check_size([request.q], service.settings)
    service.access.admit(request.api_key, address, characters=0)
    return [_detected(each) for each in service.gateway.detect(request.q)]


@router.post("/suggest", summary="Suggest a translation", responses=ERRORS, openapi_extra=_body(SuggestRequest))
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
