from .interrupted import Interrupted as Interrupted
