from .api import Fitted as Fitted
from .api import evaluate as evaluate
from .api import evaluate_masks as evaluate_masks
from .api import fit as fit
from .api import load as load
from .evaluation import Evaluation as Evaluation
from .model import Card as Card
from .network import BayesianNetwork as BayesianNetwork
