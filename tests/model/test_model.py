"""The model keeps the laws of a translator, and every setting of its section does something."""

import json

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from tiny_job import tiny_job
from tiny_model import SOURCE, TARGET_IN, VARIANTS, VOCABULARY, step_by_step, tiny_model

from nmt.config.model import ModelConfig
from nmt.config.presets import PRESETS
from nmt.config.section import Section
from nmt.data.batches import Batch
from nmt.layers.attention import Attention
from nmt.layers.bidirectional import Bidirectional
from nmt.layers.lstm import LSTM
from nmt.model.linear import Linear
from nmt.model.losses import token_log_probabilities
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.runs.run import assign_weights
from nmt.text.tokenizer import PAD

BATCH = Batch(SOURCE, TARGET_IN, np.where(TARGET_IN != PAD, np.maximum(TARGET_IN, 3), PAD))
NO_DROPOUT = {"embedding": 0.0, "layers": 0.0, "output": 0.0}

each_variant = pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)


def padded(tokens, more):
    return np.pad(tokens, [(0, 0), (0, more)], constant_values=PAD)


@each_variant
def test_padding_changes_nothing(settings):
    model = tiny_model(settings)
    expected = model(SOURCE, TARGET_IN)
    np.testing.assert_allclose(model(padded(SOURCE, 3), TARGET_IN), expected, atol=1e-5)
    np.testing.assert_allclose(model(SOURCE, padded(TARGET_IN, 3))[:, : TARGET_IN.shape[1]], expected, atol=1e-5)


@each_variant
def test_a_batch_equals_its_rows_one_by_one(settings):
    model = tiny_model(settings)
    together = model(SOURCE, TARGET_IN)
    for row in range(len(SOURCE)):
        source, target_in = SOURCE[row][SOURCE[row] != PAD], TARGET_IN[row][TARGET_IN[row] != PAD]
        alone = model(source[np.newaxis], target_in[np.newaxis])
        np.testing.assert_allclose(alone[0], together[row, : len(target_in)], atol=1e-5)


@each_variant
def test_the_training_loss_is_that_of_the_logits_at_the_real_targets(settings):
    model = tiny_model({**settings, "dropout": NO_DROPOUT})
    expected = -tf.reduce_sum(token_log_probabilities(model(SOURCE, TARGET_IN), BATCH.target_out))
    np.testing.assert_allclose(model.training_loss(BATCH, smoothing=0.0), expected, rtol=1e-5)


def test_consistency_adds_to_the_loss_what_dropout_makes_of_it_and_nothing_without_dropout():
    def added(dropout):
        model = tiny_model({"dropout": dropout})
        return model.training_loss(BATCH, smoothing=0.0, consistency=100.0) - model.training_loss(BATCH, smoothing=0.0)

    np.testing.assert_allclose(added(NO_DROPOUT), 0.0, atol=1e-4)
    assert added({**NO_DROPOUT, "output": 0.5}) > 1.0


@each_variant
def test_every_weight_learns(settings):
    model = tiny_model(settings)
    with tf.GradientTape() as tape:
        loss = model.training_loss(BATCH, smoothing=0.1)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert np.any(tf.convert_to_tensor(gradient)), weight.path


@each_variant
def test_bfloat16_keeps_weights_states_and_the_models_logits_in_float32_and_stays_close(settings):
    exact, mixed = tiny_model(settings), tiny_model(settings, precision="bfloat16")
    expected, found = exact(SOURCE, TARGET_IN), mixed(SOURCE, TARGET_IN)
    memory, state = mixed.encode(SOURCE)  # as translating calls it, part by part
    stepped, state, _ = step_by_step(mixed, TARGET_IN, state, memory)

    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    assert {found.dtype, *(part.dtype for part in tf.nest.flatten(state))} == {tf.float32}
    assert stepped.dtype == tf.bfloat16
    real = TARGET_IN != PAD
    assert 0 < np.abs(found - expected)[real].max() < 0.15
    np.testing.assert_allclose(np.float32(stepped)[real], found[real], atol=0.1)


@each_variant
def test_a_bfloat16_model_to_translate_with_has_bfloat16_weights_and_float32_cells_and_stays_close(settings, tmp_path):
    overrides = [f"model.{name}={json.dumps(value)}" for name, value in settings.items()]
    config = tiny_job(tmp_path, "tokenizer.joint=true", *overrides)
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    exact = build_model(config, **sizes)
    narrow = build_model(config, **sizes, precision="bfloat16", trainable=False)
    exact.decoder.output_bias.assign(np.random.default_rng(0).normal(size=VOCABULARY))
    assign_weights(narrow, {weight.path: weight.numpy() for weight in exact.weights})
    memory, first = narrow.encode(SOURCE)
    found, state, _ = step_by_step(narrow, TARGET_IN, first, memory)

    assert {weight.dtype for weight in narrow.weights} == {"bfloat16"}
    assert {state.feed.dtype, *(layer.cell.dtype for layer in state.layers)} == {tf.float32}
    assert found.dtype == tf.bfloat16
    # A search's loop carries the state, whose dtypes must not change in it.
    assert [part.dtype for part in tf.nest.flatten(state)] == [part.dtype for part in tf.nest.flatten(first)]
    real = TARGET_IN != PAD
    assert 0 < np.abs(np.float32(found) - exact(SOURCE, TARGET_IN))[real].max() < 0.1
    # Its output layer has the bias among the weights; with a shortlist, here of all tokens, it is added.
    listed = narrow.decoder.output_layer(tf.range(VOCABULARY), tf.zeros([len(SOURCE), VOCABULARY]))
    memory, state = narrow.encode(SOURCE)
    of_listed, _, _ = narrow.decoder(TARGET_IN, state, memory, listed)
    np.testing.assert_allclose(np.float32(of_listed)[real], narrow(SOURCE, TARGET_IN)[real], atol=0.05)
    for layer in narrow._flatten_layers():
        assert type(layer) not in (LSTM, Attention)
        assert not isinstance(layer, Linear) or layer.transposed


@pytest.mark.parametrize("shortlist", [False, True])
@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_to_translate_the_output_layer_is_transposed_but_for_a_shortlist_and_says_the_same(tied, shortlist, tmp_path):
    config = tiny_job(tmp_path, "tokenizer.joint=true", f"model.tied_embeddings={tied}")
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    trained = build_model(config, **sizes)
    trained.decoder.output_bias.assign(np.random.default_rng(0).normal(size=VOCABULARY))
    translating = build_model(config, **sizes, trainable=False, shortlist=shortlist)
    assign_weights(translating, {weight.path: weight.numpy() for weight in trained.weights})

    assert translating.decoder.output_weights[0].shape[0 if shortlist else 1] == VOCABULARY
    expected = trained(SOURCE, TARGET_IN)
    np.testing.assert_allclose(translating(SOURCE, TARGET_IN), expected, rtol=1e-5, atol=1e-5)
    chosen = [3, 7, 8]
    choices = np.float32([[0, 0, 0], [0, -np.inf, 0], [0, 0, 0]])[: len(SOURCE)]
    memory, state = translating.encode(SOURCE)
    layer = translating.decoder.output_layer(chosen, choices)
    found, _, _ = translating.decoder(TARGET_IN, state, memory, layer)
    listed = tf.gather(expected, chosen, axis=2) + choices[:, np.newaxis]
    np.testing.assert_allclose(found, listed, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kept", [True, False], ids=["gates of tokens kept", "a vocabulary too large for that"])
@each_variant
def test_a_model_that_translates_says_what_the_trained_one_says_and_again_with_other_weights(
    settings, kept, tmp_path, monkeypatch
):
    if not kept:
        monkeypatch.setattr("nmt.model.decoder.TOKEN_GATES_BYTES", 0)
    config = tiny_job(tmp_path, "tokenizer.joint=true")
    config = config.model_copy(update={"model": ModelConfig(**{"embedding_size": 6, "units": 8, **settings})})
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    trained = build_model(config, **sizes)
    translating = build_model(config, **sizes, trainable=False)
    assert bool(translating.decoder.token_gates) == (kept and not config.model.layer_normalization)
    assert not trained.decoder.token_gates
    random = np.random.default_rng(0)
    whole = tf.function(translating, autograph=False)  # a graph keeps what it read when it was traced
    for _ in range(2):
        for weight in trained.weights:
            weight.assign(random.normal(scale=0.4, size=weight.shape))
        assign_weights(translating, {weight.path: weight.numpy() for weight in trained.weights})
        expected = trained(SOURCE, TARGET_IN)
        np.testing.assert_allclose(whole(SOURCE, TARGET_IN), expected, rtol=1e-4, atol=1e-5)
        memory, state = translating.encode(SOURCE)
        np.testing.assert_allclose(
            step_by_step(translating, TARGET_IN, state, memory)[0], expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_to_translate_merged_kernels_say_what_those_of_queries_and_keys_say(precision, tolerance, tmp_path):
    def models(**attention):
        config = tiny_job(tmp_path, "tokenizer.joint=true", f"model.attention={json.dumps(attention)}")
        sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
        trained = build_model(config, **sizes)
        translating = build_model(config, **sizes, precision=precision, trainable=False)
        weights = {weight.path: weight.numpy() for weight in trained.weights}
        assert translating.converted_weights(weights).keys() == {weight.path for weight in translating.weights}
        assign_weights(translating, weights)
        return trained.decoder.attention, translating.decoder.attention

    layer, merged = models(score="scaled")
    assert [weight.path for weight in merged.weights] == [layer.key_kernel.path]
    random = np.random.default_rng(0)
    queries = random.normal(size=(3, 2, layer.units)).astype(np.float32)
    values = random.normal(size=(3, 4, layer.key_kernel.shape[0])).astype(np.float32)
    found, expected = (each.attend(queries, each.memorize(values, SOURCE != PAD)) for each in (merged, layer))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(tf.cast(one, tf.float32), other, atol=tolerance)
    for attention in ({"score": "general"}, {"score": "scaled", "heads": 2}):
        trained, translating = models(**attention)
        assert [weight.path for weight in translating.weights] == [weight.path for weight in trained.weights]


@pytest.mark.parametrize(("tied", "matrices"), [("none", 3), ("target", 2), ("all", 1)])
def test_tied_embeddings_are_one_matrix_and_learn_from_each_of_its_uses(tied, matrices):
    model = tiny_model({"tied_embeddings": tied, "dropout": NO_DROPOUT})
    shared = [weight for weight in model.weights if weight.shape[0] == VOCABULARY and len(weight.shape) == 2]
    assert len(shared) == matrices

    def loss():
        return model.training_loss(BATCH, smoothing=0.0)

    with tf.GradientTape() as tape:
        total = loss()
    gradients = tape.gradient(total, [weight.value for weight in shared])
    for weight, gradient in zip(shared, map(tf.convert_to_tensor, gradients), strict=True):
        value, step = weight.numpy(), 1e-2
        direction = gradient / tf.norm(gradient)
        weight.assign(value + step * direction)
        above = loss()
        weight.assign(value - step * direction)
        below = loss()
        weight.assign(value)
        np.testing.assert_allclose((above - below) / (2 * step), tf.norm(gradient), rtol=0.02)


@pytest.mark.parametrize("rate", ["embedding", "layers", "recurrent", "output"])
def test_each_dropout_rate_acts_in_training_and_never_else(rate):
    deep = {"encoder": {"layers": 1}, "decoder": {"layers": 2}}
    none = dict.fromkeys(("embedding", "layers", "recurrent", "output"), 0.0)
    without, model = tiny_model({**deep, "dropout": none}), tiny_model({**deep, "dropout": {**none, rate: 0.5}})
    expected = without(SOURCE, TARGET_IN)

    np.testing.assert_array_equal(without(SOURCE, TARGET_IN, training=True), expected)
    np.testing.assert_array_equal(model(SOURCE, TARGET_IN), expected)
    first, second = model(SOURCE, TARGET_IN, training=True), model(SOURCE, TARGET_IN, training=True)
    assert np.any(first != expected)
    assert np.any(first != second)


ACTING = {
    "preset": {"preset": "luong"},
    "embedding_size": {"embedding_size": 7},
    "units": {"units": 16},
    "encoder.bidirectional_layers": {"encoder": {"bidirectional_layers": 2}},
    "encoder.layers": {"encoder": {"layers": 1}},
    "decoder.layers": {"decoder": {"layers": 2}},
    "lexical": {"lexical": True},
    "decoder.input_feeding": {"decoder": {"input_feeding": True}},
    "attention.score": {"attention": {"score": "additive"}},
    "attention.heads": {"attention": {"heads": 2}},
    "layer_normalization": {"layer_normalization": True},
    "tied_embeddings": {"tied_embeddings": "none"},
}


@pytest.mark.parametrize("settings", ACTING.values(), ids=ACTING)
def test_every_setting_of_the_model_makes_another_model(settings):
    def shapes(model):
        return sorted(tuple(weight.shape) for weight in model.weights)

    assert shapes(tiny_model(settings)) != shapes(tiny_model())


def test_no_setting_of_the_model_is_left_without_a_test():
    def names(section, prefix=""):
        for name, field in section.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                yield from names(field.annotation, f"{prefix}{name}.")
            else:
                yield prefix + name

    assert {name for name in names(ModelConfig) if not name.startswith("dropout.")} == {*ACTING, "embedding_range"}


def test_the_lexical_path_adds_what_attention_reads_of_the_source_embeddings():
    model = Seq2Seq(ModelConfig(embedding_size=6, units=8, lexical=True), VOCABULARY, VOCABULARY)
    model(SOURCE, TARGET_IN)
    memory, state = model.encode(SOURCE)
    kernel = model.decoder.lexical.kernel
    with_path, _, weights = model.decoder.read(TARGET_IN, state, memory)
    expected = weights @ model.encoder.embedding(SOURCE) @ kernel  # [batch, time, embedding_size]
    kernel.assign(tf.zeros_like(kernel))
    without, _, _ = model.decoder.read(TARGET_IN, state, memory)

    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(with_path - without, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("attention", "came"), [({"heads": 2}, "2 and scaled"), ({"score": "dot"}, "1 and dot")], ids=["heads", "dot"]
)
def test_a_lexical_path_that_attention_cannot_serve_is_refused(attention, came):
    needs = "lexical needs attention.heads: 1 and no attention.score: dot, got"
    with pytest.raises(ValidationError, match=f"{needs} {came}"):
        ModelConfig(lexical=True, attention=attention)


@pytest.mark.parametrize("limit", [0.01, 0.5])
def test_embeddings_start_evenly_within_their_range(limit):
    config = ModelConfig(embedding_size=64, units=8, embedding_range=limit, tied_embeddings="all")
    model = Seq2Seq(config, VOCABULARY, VOCABULARY)
    model(SOURCE, TARGET_IN)
    (embeddings,) = (weight.numpy() for weight in model.weights if "embedding" in weight.path)
    assert 0.95 * limit < np.abs(embeddings).max() <= limit
    assert abs(embeddings.std() / limit - 3**-0.5) < 0.1  # of an even distribution


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_builds_the_layers_it_promises(preset):
    model = tiny_model({"preset": preset})
    promised = PRESETS[preset]
    encoder = [type(layer) for layer in model.encoder.stack.layers]
    assert encoder == (
        [Bidirectional] * promised["encoder"]["bidirectional_layers"] + [LSTM] * promised["encoder"]["layers"]
    )
    assert 1 + len(model.decoder.upper.layers) == promised["decoder"]["layers"]
    assert model.decoder.attention.score == promised["attention"]["score"]
    assert model.decoder.input_feeding == promised["decoder"].get("input_feeding", False)
    assert model(SOURCE[:, :2], TARGET_IN[:, :2]).shape == (len(SOURCE), 2, VOCABULARY)


def test_recurrent_dropout_with_input_feeding_is_refused_with_a_way_out():
    with pytest.raises(ValidationError, match=r"set dropout\.recurrent: 0\.0 or decoder\.input_feeding: false"):
        ModelConfig(decoder={"input_feeding": True}, dropout={"recurrent": 0.1})


def test_weights_have_the_paths_by_which_runs_of_earlier_versions_store_them(tmp_path):
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    settings = {"encoder": {"bidirectional_layers": 1, "layers": 1}, "decoder": {"layers": 2}}
    overrides = [f"model.{name}={json.dumps(value)}" for name, value in settings.items()]
    model = build_model(tiny_job(tmp_path, "tokenizer.joint=true", *overrides), **sizes)
    lstms = {
        "model/encoder/stack/layer_0/forward",
        "model/encoder/stack/layer_0/backward",
        "model/encoder/stack/layer_1",
        "decoder/first",
        "decoder/upper/layer_0",
    }
    expected = {f"{lstm}/{name}" for lstm in lstms for name in ("kernel", "recurrent_kernel", "bias")}
    expected |= {f"decoder/attention/{side}_kernel" for side in ("query", "key")}
    expected |= {f"decoder/{layer}/{name}" for layer in ("bridge", "readout") for name in ("kernel", "bias")}
    expected |= {"model/encoder/source_embedding/embeddings", "decoder/target_embedding/embeddings"}
    expected |= {"decoder/output_bias"}
    assert {weight.path for weight in model.weights} == expected


def test_the_seed_alone_decides_the_first_weights(tmp_path):
    def weights(seed):
        model = build_model(tiny_job(tmp_path, f"seed={seed}"), source_vocabulary=20, target_vocabulary=20)
        return np.concatenate([np.ravel(weight) for weight in model.weights])

    first = weights(1)
    np.testing.assert_array_equal(weights(1), first)
    assert np.any(weights(2) != first)
