"""Files: uploaded, translated, fetched. Imports no TensorFlow by itself."""

from __future__ import annotations

import threading
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, File, Form, HTTPException, Request, Response, UploadFile

from nmt.gateway.messages import ApiKey, FileResponse, Language
from nmt.gateway.service import ERRORS, READERS, Address, Shared

FORMATS = {".txt": "text", ".html": "html", ".htm": "html"}  # by the end of a file's name
FILES_AT_A_TIME = 4  # as each may take minutes, and as long a thread that others wait for
router = APIRouter()
_places = threading.BoundedSemaphore(FILES_AT_A_TIME)


@router.post("/translate_file", summary="Translate a file", responses=ERRORS)
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
    if not _places.acquire(blocking=False):
        raise HTTPException(503, "too many files are being translated; try again later", headers={"Retry-After": "10"})
    try:
        documents = [READERS[FORMATS[suffix]](text)]
        languages = [each.language for each in service.gateway.source_languages(documents, source)]
        (found,) = service.gateway.translate(documents, languages, target)
    finally:
        _places.release()
    name = service.files.keep(found.text.encode(), suffix)
    return FileResponse(translatedFileUrl=str(request.url_for("download_file", name=name)))


@router.get(
    "/download_file/{name}",
    summary="Fetch a translated file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, 404: ERRORS[400]},
)
def download_file(name: str, service: Shared) -> Response:
    content = service.files.read(name)
    if content is None:
        raise HTTPException(404, "there is no such file; translated files are kept for an hour")
    # Never shown as a page of this server: it is somebody's HTML.
    disposition = {"Content-Disposition": f'attachment; filename="translated{PurePath(name).suffix}"'}
    return Response(content, media_type="application/octet-stream", headers=disposition)
