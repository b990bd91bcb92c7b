"""The settings of a job: one YAML file describes one job.

    from nmt.config import load_config

    config = load_config("configs/demo.yaml", ["search.beam_size=1"])
    print(config.search.beam_size, config.model.units)

`Config` is the whole tree, with one class per section. All of it is immutable and checked when it is read.
"""

from nmt.config.data import Corpus, DataConfig, TextPair
from nmt.config.export import ExportConfig
from nmt.config.file import ConfigError, dump_config, load_config, override_config, parse_config
from nmt.config.model import AttentionConfig, DecoderConfig, DropoutConfig, EncoderConfig, ModelConfig
from nmt.config.search import SearchConfig
from nmt.config.settings import Config
from nmt.config.tokenizer import TokenizerConfig
from nmt.config.training import OptimizerConfig, ScheduleConfig, TrainingConfig

__all__ = [
    "AttentionConfig",
    "Config",
    "ConfigError",
    "Corpus",
    "DataConfig",
    "DecoderConfig",
    "DropoutConfig",
    "EncoderConfig",
    "ExportConfig",
    "ModelConfig",
    "OptimizerConfig",
    "ScheduleConfig",
    "SearchConfig",
    "TextPair",
    "TokenizerConfig",
    "TrainingConfig",
    "dump_config",
    "load_config",
    "override_config",
    "parse_config",
]
