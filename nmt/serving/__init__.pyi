from .server import Server as Server
from .server import model_config as model_config
from .server import serve as serve
