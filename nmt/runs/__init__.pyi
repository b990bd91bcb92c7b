from .files import DamagedFileError as DamagedFileError
from .info import describe_run as describe_run
from .log import Log as Log
from .log import read_log as read_log
from .run import Checkpoint as Checkpoint
from .run import Run as Run
