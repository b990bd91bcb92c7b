from .async_client import connect_async as connect_async
from .client import connect as connect
from .errors import Unavailable as Unavailable
