"""Each score is the formula of its paper, and what a query reads of a memory is its real positions and nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.layers.attention import SCORES, Attention

ROWS, TIME, SOURCE_TIME, UNITS, VALUES_SIZE = 3, 2, 5, 6, 4
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]], bool)
each_score = pytest.mark.parametrize("score", SCORES)


@pytest.fixture
def normal():
    random = np.random.default_rng(0)
    return lambda *shape: random.normal(size=shape)


def make(score, *, heads=1, dtype="float64"):
    """An attention layer whose weights are all random; dot needs values of the size of queries."""
    layer = Attention(UNITS, score=score, heads=heads, dtype=dtype)
    layer.build((ROWS, TIME, UNITS), (ROWS, SOURCE_TIME, UNITS if score == "dot" else VALUES_SIZE))
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(size=weight.shape) for weight in layer.weights])
    return layer


def values_for(layer, normal):
    return normal(ROWS, SOURCE_TIME, UNITS if layer.score == "dot" else VALUES_SIZE)


def papers_score(layer, query, value, head):
    """How well one query matches one value, as the papers write it."""
    weight = {variable.name: variable.numpy() for variable in layer.weights}
    own = slice(head * layer.depth, (head + 1) * layer.depth)
    if layer.score == "dot":  # Luong et al. 2015, eq. 8
        return query[own] @ value[own]
    if layer.score == "general":  # Luong et al. 2015, eq. 8
        return query[own] @ weight["key_kernel"].T[own] @ value
    projected_query = weight["query_kernel"].T[own] @ query
    projected_key = weight["key_kernel"].T[own] @ value
    if layer.score == "scaled":  # Vaswani et al. 2017, eq. 1
        return projected_query @ projected_key / np.sqrt(layer.depth)
    # Bahdanau et al. 2015, A.1.2
    return weight["score_kernel"][head] @ np.tanh(projected_query + projected_key + weight["bias"][own])


@pytest.mark.parametrize("heads", [1, 3])
@each_score
def test_context_and_weights_equal_the_papers_formula(normal, score, heads):
    layer = make(score, heads=heads)
    queries, values = normal(ROWS, TIME, UNITS), values_for(layer, normal)

    context, weights = layer.attend(queries, layer.memorize(values, MASK))

    for row, time in np.ndindex(ROWS, TIME):
        contexts, expected_weights = [], []
        for head in range(heads):
            real = values[row, MASK[row]]
            scores = np.array([papers_score(layer, queries[row, time], value, head) for value in real])
            shares = np.exp(scores) / np.exp(scores).sum()
            read = shares @ real
            if heads > 1:
                own = slice(head * layer.depth, (head + 1) * layer.depth)
                read = read @ layer.value_kernel.numpy()[:, own]
            contexts.append(read)
            expected_weights.append(shares)
        np.testing.assert_allclose(context[row, time], np.concatenate(contexts), atol=1e-12)
        np.testing.assert_allclose(weights[row, time][MASK[row]], np.mean(expected_weights, axis=0), atol=1e-12)


@pytest.mark.parametrize("heads", [1, 2])
@each_score
def test_weights_sum_to_one_over_real_positions_and_are_exactly_zero_on_padding(normal, score, heads):
    layer = make(score, heads=heads, dtype="float32")
    memory = layer.memorize(np.float32(100 * values_for(layer, normal)), MASK)

    _, weights = layer.attend(np.float32(normal(ROWS, TIME, UNITS)), memory)

    np.testing.assert_allclose(tf.reduce_sum(weights, axis=-1), np.ones((ROWS, TIME)), atol=1e-6)
    assert not np.any(weights.numpy()[np.broadcast_to(~MASK[:, None], weights.shape)])


@each_score
def test_padding_changes_nothing_whatever_it_holds(normal, score):
    layer = make(score, heads=2)
    queries, values = normal(ROWS, TIME, UNITS), values_for(layer, normal)
    padded = tf.constant(np.concatenate([values, 1000 * values], axis=1))
    mask = np.concatenate([MASK, np.zeros_like(MASK)], axis=1)

    context, weights = layer.attend(queries, layer.memorize(values, MASK))
    with tf.GradientTape() as tape:
        tape.watch(padded)
        padded_context, padded_weights = layer.attend(queries, layer.memorize(padded, mask))
        loss = tf.reduce_sum(padded_context**2)

    np.testing.assert_allclose(padded_context, context, atol=1e-12)
    np.testing.assert_allclose(padded_weights[:, :, :SOURCE_TIME], weights, atol=1e-12)
    assert not np.any(tape.gradient(loss, padded).numpy()[~mask])


@each_score
def test_a_call_reads_values_as_a_memory_made_of_them_is_read(normal, score):
    layer = make(score, heads=2)
    queries, values = normal(ROWS, TIME, UNITS), values_for(layer, normal)
    expected = layer.attend(queries, layer.memorize(values, MASK))
    found = layer(queries, values, values_mask=MASK, return_attention_scores=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(layer(queries, values, values_mask=MASK), expected[0])
    np.testing.assert_array_equal(layer(queries, values), layer(queries, values, values_mask=MASK | True))


def test_a_row_without_any_real_position_gives_finite_results_and_gradients(normal):
    layer = make("additive")
    values = tf.constant(values_for(layer, normal))
    with tf.GradientTape() as tape:
        tape.watch(values)
        context, weights = layer.attend(normal(ROWS, TIME, UNITS), layer.memorize(values, MASK & False))
        loss = tf.reduce_sum(context**2) + tf.reduce_sum(weights**2)
    for result in (context, weights, tape.gradient(loss, values)):
        assert np.all(np.isfinite(result))


@each_score
def test_bfloat16_products_give_results_close_to_the_exact_ones_and_weights_in_float32(normal, score):
    layer, mixed = make(score, heads=2, dtype="float32"), make(score, heads=2, dtype="mixed_bfloat16")
    queries, values = (np.float32(0.3 * each) for each in (normal(ROWS, TIME, UNITS), values_for(layer, normal)))

    expected = layer.attend(queries, layer.memorize(values, MASK))
    found = mixed.attend(queries, mixed.memorize(values, MASK))

    assert [each.dtype for each in found] == [tf.bfloat16, tf.float32]
    for one, other in zip(found, expected, strict=True):
        assert 0 < np.abs(tf.cast(one, tf.float32) - other).max() < 0.05


def test_dot_refuses_values_of_another_size_than_its_queries():
    with pytest.raises(ValueError, match="queries and values of one size; got 6, 4"):
        Attention(6, score="dot").build((None, None, 6), (None, None, 4))


def test_queries_of_another_size_than_the_units_are_refused():
    with pytest.raises(ValueError, match="queries of its units, 6; got 5"):
        Attention(6).build((None, None, 5), (None, None, 4))


def test_an_unknown_score_and_heads_that_do_not_divide_the_units_are_refused():
    with pytest.raises(ValueError, match="'cosine'; expected one of dot, general, scaled, additive"):
        Attention(6, score="cosine")
    with pytest.raises(ValueError, match="multiple of heads; got 6 units, 4 heads"):
        Attention(6, heads=4)
