from .endpoint import Endpoint as Endpoint
from .saved_model import SavedModel as SavedModel
from .saved_model import Signature as Signature
from .saved_model import TensorSpec as TensorSpec
