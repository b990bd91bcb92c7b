from .findings import Finding as Finding
from .findings import Report as Report
from .held_out import hold_out as hold_out
from .plan import Request as Request
from .profile import CorpusProfile as CorpusProfile
from .profile import profile_corpus as profile_corpus
