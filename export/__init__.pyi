from .api import export as export
from .api import graft as graft
from .api import verify as verify
from .graph import GraphOptions as GraphOptions
from .source import Source as Source
from .verification import Verdict as Verdict
