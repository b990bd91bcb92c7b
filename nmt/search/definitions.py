"""What search, guard and features are defined by, whichever library computes them. Imports no TensorFlow."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nmt.config.search import SearchConfig
from nmt.text.tokenizer import PAD

IMPOSSIBLE = float("-inf")
LEAST_COVERAGE = 1e-9  # keeps the logarithm of a source position that was never read finite
# Finished rows leave once at most this share is unfinished: leaving copies the others, which costs part of a step.
CROWDED = 0.75

# Of the guard:
READ = 0.1  # of a step's attention: a source piece that never got as much was not read
NGRAM = 3
MANY_IDS = 1 << 21  # more than a vocabulary has; its cube fits into int64
_SHORTER = 0.75

# Of the features:
STRETCH = 4  # pieces: some two words
UNREAD, HARDLY_READ = 0.1, 0.3
MANY = 12.0  # pieces: a clause


class Hypotheses(NamedTuple):
    """What a search found, best first. A row with fewer than n possible hypotheses fills up with length 0, score -inf.

    tokens: int32 [batch, n, time], ending in EOS, PAD after it; time = the longest length.
    scores: float32 [batch, n], Wu et al. 2016, eq. 14, of the model's own log-probabilities; higher is better.
    log_probabilities: float32 [batch, n], the model's own, of all tokens, EOS and a forced prefix included.
    lengths: int32 [batch, n], EOS included.
    weights: float32 [batch, n, time, source_time], what each token read, 0 on padding; None where not asked for.
    faults: bool [batch, faults], what is wrong with the best one (faults.FAULTS); None until a guard has judged it.
    """

    tokens: Any  # tensors or arrays
    scores: Any
    log_probabilities: Any
    lengths: Any
    weights: Any = None
    faults: Any = None


def length_penalty(lengths: Any, options: SearchConfig) -> Any:
    """((5 + |Y|) / 6) ^ alpha of Wu et al. 2016, eq. 14, of float32 lengths."""
    return ((5.0 + lengths) / 6.0) ** options.length_penalty


def stricter(options: SearchConfig) -> SearchConfig:
    """The rules of the second search: no triple twice, and neither as short nor as long. What scores mean stays."""
    return options.model_copy(
        update={
            "no_repeat_ngram": min(options.no_repeat_ngram or NGRAM, NGRAM),
            "min_length_ratio": max(options.min_length_ratio, options.guard_min_length_ratio),
            "max_length_ratio": max(options.min_length_ratio, _SHORTER * options.max_length_ratio),
        }
    )


def draw_noise(source: np.ndarray, options: SearchConfig, *, time: int) -> np.ndarray:
    """A draw in [0, 1) for each token to be sampled, of (options.seed, the row's pieces) alone.

    Args: source int32 [batch, source_time], each row pieces + EOS, padded with PAD.
    Returns: float32 [batch, n_best, time].
    """
    lengths = np.count_nonzero(source != PAD, axis=1)
    rows = [row[: length - 1].tolist() for row, length in zip(source, lengths, strict=True)]  # without EOS
    draws = [np.random.default_rng([options.seed, *ids]).random((time, options.n_best)) for ids in rows]
    return np.stack(draws).transpose(0, 2, 1).astype(np.float32).clip(max=np.nextafter(np.float32(1), 0))
