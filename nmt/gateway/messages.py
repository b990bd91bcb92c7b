"""What clients send and get: the fields of LibreTranslate's API, and ours. No TensorFlow."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json
from starlette.datastructures import ImmutableMultiDict

Language = Annotated[str, Field(min_length=1, max_length=35, examples=["en"])]
ApiKey = Annotated[str | None, Field(description="An API key, where the gateway has keys.")]


class TranslateRequest(BaseModel):
    """Texts to translate."""

    q: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)] = Field(
        description="A text, or several.", examples=["Good morning."]
    )
    source: Language = Field(description='The language of the texts, or "auto".')
    target: Language = Field(description="The language to translate into.")
    format: Literal["text", "html"] = Field(default="text", description="html: markup stays byte for byte.")
    alternatives: int = Field(default=0, ge=0, le=100, description="How many other translations to give, at most.")
    api_key: ApiKey = None
    details: bool = Field(default=False, description="Whether to say how each line was translated.")
    glossary: list[tuple[str, str]] = Field(
        default=[], max_length=1000, description="Terms and their translations: [[source, target], ...]. In JSON only."
    )


class DetectRequest(BaseModel):
    """A text whose language is asked for."""

    q: str = Field(min_length=1, examples=["Good morning."])
    api_key: ApiKey = None


class SuggestRequest(BaseModel):
    """A better translation of a text."""

    q: str = Field(min_length=1, description="The text.")
    s: str = Field(min_length=1, description="Its translation.")
    source: Language
    target: Language
    api_key: ApiKey = None


class DetectedLanguage(BaseModel):
    confidence: float = Field(ge=0, le=100)
    language: str


class LineDetails(BaseModel):
    """How a line of a text was translated; empty lists where the model does not say."""

    confidence: float | None = Field(description="Expected quality, chrF / 100; null where the model does not say.")
    sourcePieces: list[str]
    targetPieces: list[str]
    alignment: list[list[float]] = Field(description="How much each target piece read each source piece, 0..1.")


class TranslateResponse(BaseModel):
    """Translations: each field a list, one item a text, where q was a list."""

    translatedText: str | list[str]
    detectedLanguage: DetectedLanguage | list[DetectedLanguage] | None = Field(
        default=None, description='Where source was "auto".'
    )
    alternatives: list[str] | list[list[str]] | None = Field(default=None, description="Where they were asked for.")
    details: list[list[LineDetails]] | None = Field(
        default=None, description="Where asked for: of each text a list, one item for each line that is not blank."
    )


class LanguageResponse(BaseModel):
    code: str
    name: str
    targets: list[str]


class FileResponse(BaseModel):
    translatedFileUrl: str


class SuggestResponse(BaseModel):
    success: bool


class HealthResponse(BaseModel):
    status: Literal["ok"] = "ok"


class Named(BaseModel):
    code: str
    name: str


class Pair(BaseModel):
    source: Named
    target: Named


class SettingsResponse(BaseModel):
    """What a page has to know."""

    charLimit: int
    frontendTimeout: int = Field(description="Milliseconds to wait after the last key before asking.")
    apiKeys: bool
    keyRequired: bool
    suggestions: bool
    filesTranslation: bool
    supportedFilesFormat: list[str]
    glossary: bool = Field(description="Whether a request may have a glossary.")
    language: Pair


class ErrorResponse(BaseModel):
    error: str


Message = TypeVar("Message", bound=BaseModel)


async def read_message(request: Request, kind: type[Message]) -> Message:
    """A request's fields: from JSON, or from a form and the query together.

    As in LibreTranslate, a field that is null or "" is as good as not given.

    Raises: RequestValidationError where they are not those of `kind`.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if content_type == "application/json":
            fields = from_json(await request.body(), allow_inf_nan=False)
        else:
            fields = _fields(request.query_params) | _fields(await request.form())
    except ValueError as error:
        raise RequestValidationError([{"loc": (), "msg": f"the body is not JSON: {error}", "type": "json"}]) from None
    if not isinstance(fields, dict):
        message = {"loc": (), "msg": "The body should be a JSON object", "type": "object_type", "input": fields}
        raise RequestValidationError([message])
    try:
        return kind.model_validate({name: value for name, value in fields.items() if value not in (None, "")})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _fields(form: ImmutableMultiDict[str, Any]) -> dict[str, Any]:
    """A form's fields: a list where one is given several times; line ends as \\n, which browsers send as \\r\\n."""
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        value = value.replace("\r\n", "\n") if isinstance(value, str) else value
        fields[name] = [*_as_list(fields[name]), value] if name in fields else value
    return fields


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
