from .context import Context as Context
from .context import context_of as context_of
from .corpora import clean as clean
from .judgement import judge as judge
from .tally import Tally as Tally
