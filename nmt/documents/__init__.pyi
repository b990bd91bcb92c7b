from .document import translate_documents as translate_documents
from .file import Settings as Settings
from .formats import Result as Result
from .formats import translate_document as translate_document
