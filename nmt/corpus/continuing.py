"""The config that trains a run on, with its own corpora and further ones.

Its settings follow what docs/results.md measured ("Continued on the models' own translations"). Fine-tuning is mixed
(Chu et al. 2017): the run's own text keeps it from forgetting. Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nmt.config.data import Corpus
from nmt.config.file import dump_changes
from nmt.config.settings import Config
from nmt.config.training import ScheduleConfig
from nmt.corpus.plan import Plan
from nmt.text.files import count_pairs

_EPOCHS = 4
_FINE_TUNING_EPOCHS = 10  # of the new text, which is less; the best are kept
_MOST_DROPOUT = {"embedding": 0.1, "layers": 0.1, "output": 0.2}


class Sized(NamedTuple):
    """A corpus, and how many pairs it has."""

    corpus: Corpus
    pairs: int


def mixed(own: Sequence[Sized], *further: Sequence[Sized]) -> list[Corpus]:
    """A job's own corpora, repeated until an epoch has as many pairs of them as of the largest group of further ones.

    Raises:
        ValueError: where the job has no pairs of its own.
    """
    size, *sizes = (sum(corpus.weight * pairs for corpus, pairs in group) for group in (own, *further))
    if not size:
        raise ValueError(f"{' and '.join(corpus.name for corpus, _ in own)}: no pair to train on")
    factor = max([size, *sizes]) / size
    return [
        *(corpus.model_copy(update={"weight": float(f"{corpus.weight * factor:.4g}")}) for corpus, _ in own),
        *(corpus for group in further for corpus, _ in group),
    ]


def fine_tuned(run: Config, start_from: str, plan: Plan) -> Config:
    """The settings that train a run on with a plan's corpus and as many pairs of its own, others in each epoch.

    What decides is the new validation set. The run's own sets become test sets, which show what was forgotten.

    Raises:
        ValueError: where a file of the run's own corpora is not there any more.
    """
    own = sum(corpus.weight * count_pairs(corpus) for corpus in run.data.train)
    share = min(1.0, plan.counts["train"] / own)
    train = [
        Corpus(**plan.train.model_dump()),
        *(corpus.model_copy(update={"weight": float(f"{corpus.weight * share:.4g}")}) for corpus in run.data.train),
    ]
    earlier = {"validation": run.data.validation, **run.data.test}
    test = {"test": plan.test} if plan.test else {}
    test |= {f"earlier_{name}": pair for name, pair in earlier.items()}
    data = run.data.model_copy(update={"train": train, "validation": plan.validation, "test": test})
    config = continued(run, start_from)
    training = config.training.model_copy(update={"max_epochs": _FINE_TUNING_EPOCHS, "validate_every": None})
    return config.model_copy(update={"run": plan.run, "data": data, "training": training})


def continued(run: Config, start_from: str) -> Config:
    """The settings of a run, for a shorter training that begins with its best weights: a lower rate, less dropout."""
    training, model = run.training, run.model
    arguments = dict(training.optimizer.arguments)
    if decay := arguments.get("weight_decay"):
        arguments["weight_decay"] = decay / 2
    schedule = ScheduleConfig(name="constant", learning_rate=training.schedule.learning_rate / 2)
    dropout = {name: min(rate, getattr(model.dropout, name)) for name, rate in _MOST_DROPOUT.items()}
    return run.model_copy(
        update={
            "model": model.model_copy(update={"dropout": model.dropout.model_copy(update=dropout)}),
            "tokenizer": run.tokenizer.model_copy(update={"from_run": None}),  # it comes with the weights
            "training": training.model_copy(
                update={
                    "start_from": start_from,
                    "max_steps": None,
                    "max_minutes": None,
                    "max_epochs": _EPOCHS,
                    "optimizer": training.optimizer.model_copy(update={"arguments": arguments}),
                    "schedule": schedule,
                }
            ),
        }
    )


def continuing_text(config: Config, heading: str) -> str:
    """A config as a file that a user reads and changes.

    Args: heading: what it is, as lines without their "#".
    """
    lines = [*heading.splitlines(), "Only what differs from the defaults stands here; `nmt config` prints everything."]
    return "".join(f"# {line}\n" for line in lines) + "\n" + dump_changes(config)
