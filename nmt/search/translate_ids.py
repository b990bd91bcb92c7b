"""The one place where model meets search: source ids in, hypotheses out, in Python and in an exported graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.model.losses import log_normalizers
from nmt.model.seq2seq import Seq2Seq
from nmt.search.definitions import Hypotheses
from nmt.search.guard import find_faults, guarded_search
from nmt.search.rules import count_symbols
from nmt.search.search import TokenScores, beam_search, sample
from nmt.search.shortlist import make_shortlist
from nmt.text.tokenizer import PAD


def translate_ids(
    models: Sequence[Seq2Seq],
    source,
    options: SearchConfig,
    *,
    num_symbols: int = 0,
    lexicon=None,
    prefix=None,
    noise=None,
    with_weights=False,
) -> Hypotheses:
    """Translates a batch; several models decode as an ensemble, by the mean of their probabilities.

    Args:
        source: int32 [batch, source_time], each row pieces + EOS, padded with PAD.
        options: static; options.sampling draws from the model with `noise`, else beam search; options.guard judges what
            was found (Hypotheses.faults, else None), for which attention weights are kept in any case.
        num_symbols: so many ids from FIRST_SYMBOL on are written exactly as often as the source has them.
        lexicon: int32 [source vocabulary, lexicon.LISTED], for options.shortlist only.
        prefix: int32 [batch, prefix_time] or None: how each translation starts, padded with PAD.
        noise: float32 [batch, n_best, time] in [0, 1), one draw a token, for sampling only.
    """

    settings = {"num_symbols": num_symbols, "lexicon": lexicon, "noise": noise, "with_weights": with_weights}
    return guarded_search(partial(search_once, models, **settings), source, options, prefix=prefix)


def search_once(
    models: Sequence[Seq2Seq],
    source,
    options: SearchConfig,
    prefix,
    *,
    num_symbols: int,
    lexicon,
    noise,
    with_weights: bool,
) -> Hypotheses:
    """As translate_ids, but one search, whatever it finds: a guard that calls it can trace the second one apart."""
    memories, states = zip(*(model.encode(source) for model in models), strict=True)
    shortlist = None
    if options.shortlist:
        vocabulary = models[0].decoder.vocabulary
        shortlist = make_shortlist(
            source, lexicon, size=options.shortlist, vocabulary=vocabulary, num_symbols=num_symbols, prefix=prefix
        )
        prefix = None if prefix is None else shortlist.columns(prefix)
    outputs = [model.decoder.output_layer(*(shortlist or ())) for model in models]
    # What a row may choose from is read with it, as rows leave the search.
    biases = tuple(output.bias for output in outputs) if shortlist else ()  # [batch, columns]

    def step(tokens, states, read):
        memories, biases = read
        layers, beam = outputs, tokens.shape[1]
        tokens = tf.reshape(tokens, [-1, 1])
        if shortlist:
            tokens = tf.gather(shortlist.ids, tokens)
            layers = [output._replace(bias=bias) for output, bias in zip(outputs, biases, strict=True)]
        of_models, after, read_by_each = [], [], []
        for model, state, memory, layer in zip(models, states, memories, layers, strict=True):
            logits, state, weights = model.decoder(tokens, state, memory, layer, beam=beam)
            logits = tf.squeeze(logits, axis=1)  # [rows, vocab], or columns of the shortlist; a slice would be a copy
            of_models.append(TokenScores(logits, log_normalizers(logits, tf.nn.softmax(logits))))
            after.append(state)
            read_by_each.append(tf.squeeze(weights, axis=1))  # [rows, source_time]
        if len(models) == 1:
            return of_models[0], tuple(after), read_by_each[0]
        each = [tf.cast(logits, tf.float32) - normalizers for logits, normalizers in of_models]
        summed = tf.reduce_logsumexp(each, axis=0)
        scores = TokenScores(summed, tf.fill([tf.shape(summed)[0], 1], float(np.log(len(models)))))
        return scores, tuple(after), tf.reduce_mean(read_by_each, axis=0)

    lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32)  # [batch]
    shared = {
        "source_lengths": tf.where(lengths > 1, lengths, 0),  # of an EOS alone nothing is to be translated
        "source_time": tf.shape(source)[1],
        "options": options,
        "prefix": prefix,
        "required": count_symbols(source, num_symbols) if num_symbols else None,
        "with_weights": with_weights or options.guard,
    }
    if options.sampling:
        found = sample(step, states, (memories, biases), noise=noise, **shared)
    else:
        found = beam_search(step, states, (memories, biases), **shared)
    found = found._replace(tokens=tf.gather(shortlist.ids, found.tokens)) if shortlist else found
    return found._replace(faults=find_faults(source, found, options, prefix=prefix)) if options.guard else found
