"""The training that comes after `nmt augment`, on corpora and synthetic pairs together. Imports no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import get_args

from nmt.config.data import Corpus
from nmt.config.resuming import is_run
from nmt.config.settings import Config
from nmt.corpus.continuing import Sized, continued, continuing_text, mixed
from nmt.synthetic.report import PassReport
from nmt.synthetic.request import Direction, Request
from nmt.text.files import count_pairs


def mixed_corpora(config: Config, made: Sequence[PassReport]) -> list[Corpus]:
    """The job's corpora, then those of `made`: in an epoch each line that was translated comes once.

    What several models made of one text takes turns: an epoch has a part of each. The job's own pairs are repeated
    where there are fewer of them.

    Raises:
        ValueError: where nothing was made, or the job's corpora are empty.
    """
    if not any(each.corpus for each in made):
        raise ValueError("nothing to train on was made: every line was left out; report.json says why")
    groups = []
    for direction in get_args(Direction):
        versions = [(each.corpus, each.pairs) for each in made if each.direction == direction and each.corpus]
        weight = round(1 / max(1, len(versions)), 4)
        groups.append([Sized(corpus.model_copy(update={"weight": weight}), pairs) for corpus, pairs in versions])
    return mixed([Sized(corpus, count_pairs(corpus)) for corpus in config.data.train], *groups)


def next_config(request: Request, config: Config, corpora: Sequence[Corpus]) -> str:
    """The config of the next training, as text."""
    data = config.data.model_copy(update={"train": list(corpora)})
    update = {"run": os.path.join(request.output, "run"), "data": data}
    if is_run(request.job):
        heading = (
            f"Trains {request.job} on, with pairs that `nmt augment` made beside its own corpora.\n"
            "Dropout is lower than there, learning rate and weight decay are half of what they were."
        )
        settings = continued(config, request.job).model_copy(update=update)
    else:
        heading = f"The job of {request.job} with pairs that `nmt augment` made beside its own corpora."
        settings = config.model_copy(update=update)
    return continuing_text(settings, heading)
