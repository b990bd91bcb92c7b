from .corpora import Chunk as Chunk
from .corpora import read_corpora as read_corpora
from .pipeline import pipeline as pipeline
