"""In which order an export's output layer has its columns.

The tokens that rules are about, the special ones and the symbols, have the first block for themselves, so the largest
of each other block is that of other tokens only. What fills a block up is a column of no token, whose logit is -inf.
"""

from __future__ import annotations

import numpy as np

BLOCK = 64  # columns


class Layout:
    """The columns of a vocabulary.

    Args: first_ids: so many tokens, from 0 on, stand apart.

    Attributes:
        columns: int32 [vocabulary], the column of each token.
        tokens: int32 [columns], the token of each column, PAD of one that fills up.
    """

    def __init__(self, vocabulary: int, first_ids: int) -> None:
        self.vocabulary, self.first_ids = vocabulary, first_ids
        self.columns = np.arange(vocabulary, dtype=np.int32)
        self.columns[first_ids:] += -first_ids % BLOCK
        last = int(self.columns[-1])
        self.tokens = np.zeros(last + 1 + -(last + 1) % BLOCK, np.int32)
        self.tokens[self.columns] = np.arange(vocabulary)

    def lay_out(self, of_tokens: np.ndarray, filling: float = 0.0) -> np.ndarray:
        """What there is of each token [vocabulary, ...] by column [columns, ...]."""
        laid_out = np.full((len(self.tokens), *of_tokens.shape[1:]), filling, of_tokens.dtype)
        laid_out[self.columns] = of_tokens
        return laid_out
