"""The training loss and the log-probabilities it stands for; softmax in float32."""

from __future__ import annotations

import tensorflow as tf

from nmt.layers.products import accumulator, product, rounded_product
from nmt.layers.shapes import sizes
from nmt.model.linear import with_bias, with_ones
from nmt.model.maxima import block_maxima, in_blocks
from nmt.text.tokenizer import PAD

BLOCK = 2**24  # logits at a time: 64 MB each table of them


def token_log_probabilities(logits, targets):
    """log p of each target token: float32 [batch, time], 0 on padding.

    Args: logits float32 [batch, time, vocab]; targets int32 [batch, time], padded with PAD.
    """
    own = tf.gather(logits, targets, batch_dims=2)  # [batch, time]
    flat = tf.reshape(logits, [-1, tf.shape(logits)[2]])  # [batch * time, vocab]
    normalizers = tf.reshape(log_normalizers(flat, tf.nn.softmax(flat)), tf.shape(targets))
    return tf.where(tf.equal(targets, PAD), 0.0, own - normalizers)


def log_normalizers(logits, probabilities):
    """log sum exp of logits [rows, vocab], whose softmax is known: float32 [rows, 1].

    p = exp(logit - normalizer) holds for each token, and most exactly for the likeliest one. TensorFlow's softmax is
    one fast pass, its log-softmax, logsumexp and cross-entropy are several slow ones (docs/performance.md).
    """
    maxima = block_maxima(logits)
    rows, blocks = sizes(maxima)
    best = tf.argmax(maxima, axis=1, output_type=tf.int32) + tf.range(rows) * blocks  # [rows], likeliest blocks
    likeliest = tf.cast(tf.gather(in_blocks(probabilities), best), maxima.dtype)  # [rows, width], all of its block
    likeliest = tf.reduce_max(likeliest, axis=1, keepdims=True)
    return tf.reduce_max(maxima, axis=1, keepdims=True) - tf.math.log(likeliest)


def summed_loss(readouts, kernel, bias, targets, *, smoothing: float, consistency: float = 0.0, dtype=tf.float32):
    """The output layer's cross-entropy, summed over tokens, against targets of which `smoothing` is spread evenly over
    the vocabulary (Szegedy et al. 2016, 7), and how far two passes are from each other.

    The layer and the loss are one function because passes over [tokens, vocab] are what they cost: there are only the
    logits, their softmax and the three products, in the products' dtype; bias, targets and smoothing are dealt with in
    [tokens, size] and [vocab, size].

    Args:
        readouts: float32 [passes, tokens, size], real positions only; one pass through the network, or two of the same
            tokens with other dropout.
        kernel: float32 [vocab, size]; bias: float32 [vocab].
        targets: int32 [tokens].
        smoothing: in [0, 1).
        consistency: weight of the two passes' divergence (R-Drop, Liang et al. 2021, eq. 4).
        dtype: of the matrix products; everything else is float32.

    Returns: float32 scalar, the sum over tokens and passes.
    """

    @tf.custom_gradient
    def run(readouts, kernel, bias):
        loss, gradients = _loss_by_blocks(readouts, kernel, bias, targets, smoothing, consistency, dtype)
        return loss, lambda upstream: [upstream * gradient for gradient in gradients]

    return run(*(tf.convert_to_tensor(argument) for argument in (readouts, kernel, bias)))


def _loss_by_blocks(readouts, kernel, bias, targets, smoothing, consistency, dtype):
    """The loss, and its gradients for readouts, kernel and bias, never holding more than BLOCK logits."""
    vocab, size = kernel.shape
    passes = readouts.shape[0]
    tokens = tf.shape(readouts)[1]
    rows = max(1, BLOCK // (passes * vocab))
    narrow, weights = tf.cast(kernel, dtype), with_bias(kernel, bias, dtype)  # once, not for every block
    # The loss is the normalizer less the logits asked for: the target's and, for smoothing, the mean of all. The
    # gradient of these needs no table.
    of_target, share = 1.0 - smoothing, smoothing / vocab
    mean_kernel, mean_bias = _sum(kernel) / vocab, tf.reduce_mean(bias)  # [size], []
    totals = tf.reduce_sum(readouts, axis=0)  # [tokens, size]
    counts = tf.fill([tokens], tf.cast(passes, readouts.dtype))

    def of_asked(values):
        """Minus the gradient [vocab, ...] of all logits asked for, from what multiplies each [tokens, ...]."""
        by_target = tf.math.unsorted_segment_sum(-of_target * values, targets, vocab)
        return by_target - share * tf.reduce_sum(values, axis=0)

    def condition(start, *_):
        return (start == 0) | (start < tokens)  # once at least, as a replica's share may be all padding

    def body(start, loss, readouts_gradients, kernel_gradient, bias_gradient):
        block = tf.reshape(readouts[:, start : start + rows], [-1, size])  # [passes * rows, size]
        wanted = tf.tile(targets[start : start + rows], [passes])  # [passes * rows]
        logits = rounded_product(with_ones(block, dtype), weights, dtype, transpose_b=True)  # [passes * rows, vocab]
        probabilities = tf.nn.softmax(logits)
        normalizers = log_normalizers(logits, probabilities)[:, 0]  # [passes * rows]
        own = tf.cast(tf.gather(logits, wanted, batch_dims=1), block.dtype)  # [passes * rows]
        mean = tf.linalg.matvec(block, mean_kernel) + mean_bias
        loss += tf.reduce_sum(normalizers - of_target * own - smoothing * mean)
        gradient = probabilities  # of the normalizers, for the logits
        if consistency:
            logs = tf.cast(logits, block.dtype) - normalizers[:, tf.newaxis]
            shares = tf.cast(probabilities, block.dtype)
            divergence, of_divergence = _divergence(logs, shares)
            loss += consistency * divergence
            gradient = tf.cast(shares + consistency * of_divergence, dtype)
        asked = of_target * tf.cast(tf.gather(narrow, wanted), block.dtype) + smoothing * mean_kernel
        back = product(gradient, narrow, dtype) - asked  # [passes * rows, size]
        kernel_gradient += product(gradient, block, dtype, transpose_a=True)  # [vocab, size]
        bias_gradient += _sum(gradient)  # [vocab]
        back = tf.transpose(tf.reshape(back, [passes, -1, size]), [1, 0, 2])  # [rows, passes, size]
        return start + rows, loss, readouts_gradients.write(start // rows, back), kernel_gradient, bias_gradient

    blocks = tf.TensorArray(
        readouts.dtype, tf.maximum(-(-tokens // rows), 1), element_shape=[None, passes, size], infer_shape=False
    )
    first = (tf.constant(0), tf.zeros([], readouts.dtype), blocks, of_asked(totals), of_asked(counts))
    _, loss, blocks, kernel_gradient, bias_gradient = tf.while_loop(condition, body, first)
    readouts_gradient = tf.transpose(blocks.concat(), [1, 0, 2])  # [passes, tokens, size]
    return loss, [readouts_gradient, kernel_gradient, bias_gradient]


def _sum(table):
    """Over the rows of a table [rows, columns]: [columns]; as a product, which takes a fifth of the time."""
    sums = tf.matmul(tf.ones([1, tf.shape(table)[0]], table.dtype), table)[0]
    return tf.cast(sums, accumulator(table.dtype))


def _divergence(log_probabilities, probabilities):
    """How far two passes' distributions are from each other: (KL(p, q) + KL(q, p)) / 2, summed over tokens.

    Args: both float32 [2 * rows, vocab], the first pass's rows first.
    Returns: float32 scalar, and its gradient for the logits [2 * rows, vocab].
    """
    first, second = tf.split(probabilities, 2)
    ratio = tf.subtract(*tf.split(log_probabilities, 2))  # [rows, vocab], log p / q
    forward, backward = first * ratio, -second * ratio
    from_first = tf.reduce_sum(forward, axis=1, keepdims=True)  # [rows, 1], KL(p, q)
    from_second = tf.reduce_sum(backward, axis=1, keepdims=True)
    apart = first - second
    gradient = tf.concat([forward - first * from_first + apart, backward - second * from_second - apart], axis=0)
    return 0.5 * tf.reduce_sum(from_first + from_second), 0.5 * gradient
