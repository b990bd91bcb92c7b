"""Which target pieces may translate a source piece, learned from the training pairs: IBM Model 1 (Brown et al. 1993).

Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from nmt.config.settings import Config
from nmt.data.batches import make_batch, token_batches
from nmt.text.files import count_pairs, evenly, read_pairs
from nmt.text.protection import Protection
from nmt.text.tokenizer import BOS, EOS, PAD, Tokenizers

LISTED = 100  # translations of a source piece
# A pair is used while one of its source pieces was seen less often than this: frequent ones are learned early.
_SIGHTINGS = 200
_MOST_PAIRS = 500_000
_MOST_LINKS = 30_000_000  # pairs of positions, each some 20 bytes while the fit goes on
_ROUNDS = 5
_BATCH_LINKS = 1_000_000

Ids = list[int]


def learn_lexicon(config: Config, tokenizers: Tokenizers) -> np.ndarray:
    """The lexicon of a job's training corpora; see `fit`.

    Raises:
        ValueError: for corpora that cannot be read.
    """
    pairs = _tokenized_pairs(config, tokenizers)
    sizes = (tokenizer.vocabulary_size for tokenizer in tokenizers)
    return fit(_telling(pairs, tokenizers.source.vocabulary_size), *sizes, joint=tokenizers.joint)


def fit(pairs: Iterable[tuple[Ids, Ids]], source_vocabulary: int, target_vocabulary: int, *, joint: bool) -> np.ndarray:
    """Fits IBM Model 1 by expectation maximization, with an empty source word.

    Args:
        pairs: ids without BOS and EOS.
        joint: ids mean the same on both sides, and each piece is its own first translation: names are copied.

    Returns: int32 [source_vocabulary, LISTED], translations of each source piece, likeliest first; the row BOS has the
        most frequent target pieces. Where there are fewer, EOS fills up.

    Raises:
        ValueError: if there is no pair.
    """
    pairs = list(pairs)
    if not pairs:
        raise ValueError("data.train: no pair to learn translations of pieces from")
    sources, targets = zip(*pairs, strict=True)
    frequency = np.bincount(np.concatenate([np.asarray(ids, np.int64) for ids in targets]), minlength=target_vocabulary)
    links = list(_links(sources, targets, target_vocabulary))
    pair, probability = _translation_probabilities(links, source_vocabulary, target_vocabulary)
    source_piece, target_piece = np.divmod(pair, target_vocabulary)
    frequent = np.argsort(-frequency, kind="stable")[:LISTED]
    frequent = frequent[frequency[frequent] > 0]
    # What is listed for every piece need not be listed for one.
    rare = np.flatnonzero(~np.isin(target_piece, frequent))
    order = rare[np.lexsort((-probability[rare], source_piece[rare]))]
    of_piece = source_piece[order]
    rank = np.arange(len(order)) - np.searchsorted(of_piece, of_piece) + joint
    listed = rank < LISTED
    lexicon = np.full((source_vocabulary, LISTED), EOS, np.int32)
    if joint:
        lexicon[:, 0] = np.arange(source_vocabulary)
    lexicon[of_piece[listed], rank[listed]] = target_piece[order][listed]
    lexicon[BOS] = EOS
    lexicon[BOS, : len(frequent)] = frequent
    return lexicon


def _translation_probabilities(
    links: list[np.ndarray], source_vocabulary: int, target_vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """IBM Model 1's t(target piece | source piece) of all pairs of pieces in `links`.

    Returns: the pairs int64 [pairs], numbered as in `links`; their probabilities float32 [pairs].
    """
    unique = np.unique(np.concatenate([[-1], *(np.unique(each) for each in links)]))  # -1 = with padding, at place 0
    places = [np.searchsorted(unique, each).astype(np.int32) for each in links]  # each [rows, time, source_time]
    source_piece = unique // target_vocabulary
    probability = np.ones(len(unique), np.float32)
    probability[0] = 0.0
    tiny = np.finfo(np.float32).tiny
    for _ in range(_ROUNDS):
        expected = np.zeros(len(unique))
        for place in places:
            share = probability[place]
            share /= np.maximum(share.sum(axis=-1, keepdims=True), tiny)
            expected += np.bincount(place.ravel(), weights=share.ravel(), minlength=len(unique))
        total = np.bincount(source_piece[1:], weights=expected[1:], minlength=source_vocabulary)
        probability[1:] = expected[1:] / np.maximum(total[source_piece[1:]], tiny)
    return unique[1:], probability[1:]


def _links(sources: tuple[Ids, ...], targets: tuple[Ids, ...], target_vocabulary: int) -> Iterator[np.ndarray]:
    """source id x target_vocabulary + target id of each two positions of a pair, -1 with padding: int64 [rows, time,
    source_time] in batches. The first source position is the empty word, BOS.
    """
    lengths = [(len(source) + 2, len(target) + 1) for source, target in zip(sources, targets, strict=True)]
    longest = max(max(pair) for pair in lengths)
    for group in token_batches(lengths, max(longest, _BATCH_LINKS // longest)):
        batch = make_batch([sources[i] for i in group], [targets[i] for i in group])
        source = np.pad(batch.source.astype(np.int64), [(0, 0), (1, 0)], constant_values=BOS)[:, np.newaxis, :]
        target = batch.target_out.astype(np.int64)[:, :, np.newaxis]
        yield np.where((source == PAD) | (target == PAD), -1, source * target_vocabulary + target)


def _tokenized_pairs(config: Config, tokenizers: Tokenizers) -> Iterator[tuple[Ids, Ids]]:
    """Ids of pairs spread over all corpora, those left out that training leaves out."""
    protection = Protection.of(config, tokenizers)
    corpora = config.data.train
    total = sum(count_pairs(corpus) for corpus in corpora)
    lines = evenly((pair for corpus in corpora for pair in read_pairs(corpus)), total=total, keep=_MOST_PAIRS)
    for source, target in lines:
        hidden, spans = protection.hide(source)
        (source_ids,), (target_ids,) = (
            tokenizers.source.encode([hidden]),
            tokenizers.target.encode([protection.hide_known(target, spans)]),
        )
        if source_ids and target_ids and max(len(source_ids), len(target_ids)) <= config.data.max_length:
            yield source_ids, target_ids


def _telling(pairs: Iterable[tuple[Ids, Ids]], source_vocabulary: int) -> Iterator[tuple[Ids, Ids]]:
    """The pairs with a source piece that was not seen often enough yet."""
    seen = np.zeros(source_vocabulary, np.int64)
    links = 0
    for source, target in pairs:
        if seen[source].min() >= _SIGHTINGS:
            continue
        links += (len(source) + 2) * (len(target) + 1)
        if links > _MOST_LINKS:
            return
        seen[source] += 1
        yield source, target
