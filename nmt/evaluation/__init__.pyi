from .evaluate import Report as Report
from .evaluate import SetResult as SetResult
