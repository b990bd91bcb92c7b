from .gather import Report as Report
from .page import write_page as write_page
