from .decoder import Decoder as Decoder
from .decoder import DecoderState as DecoderState
from .encoder import Encoder as Encoder
from .seq2seq import Seq2Seq as Seq2Seq
from .seq2seq import build_model as build_model
