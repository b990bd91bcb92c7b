from .augment import augment as augment
from .report import Report as Report
from .request import Request as Request
