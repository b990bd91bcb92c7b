"""What the text work in a graph computes grows with the text, not with lines times the longest line."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.text.protection import KINDS, Protection
from nmt.text.sentences import SentenceSplitter
from nmt.text.splitter import Splitter
from nmt.text.tokenizer import SYMBOLS

SHORT, MANY = b"cat", 2000
LINES = {
    "a line of many spans": [*[SHORT] * MANY, b"1 " * MANY],
    "a line of many sentences": [*[SHORT] * MANY, b"Cat. " * MANY],
    "many sentences, one of many spans": [b"Cat. " * MANY + b"1 " * MANY],
    "a long word": [*[SHORT] * MANY, b"cat" * MANY],
}


def largest(function, spec, value):
    """The elements of the largest tensor among those that all operations of a function's graph compute."""
    traced = tf.function(function, autograph=False, input_signature=[spec]).get_concrete_function()
    metadata = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(traced.graph.as_graph_def(), name="")
        outputs = [output.name for output in traced.outputs]
        session.run(outputs, {traced.inputs[0].name: value}, options=options, run_metadata=metadata)
    nodes = [node for device in metadata.step_stats.dev_stats for node in device.node_stats]
    shapes = [output.tensor_description.shape.dim for node in nodes for output in node.output]
    return max(np.prod([size.size for size in shape], dtype=int) for shape in shapes)


@pytest.mark.parametrize("name", LINES)
def test_no_tensor_is_larger_than_the_text(name):
    protection, lines = Protection(KINDS), LINES[name]
    splitter = SentenceSplitter("en", protection)

    def text_work(text):
        sentences, _ = splitter.split_in_graph(text)
        hidden, spans = protection.hide_in_graph(sentences.values)
        return protection.reveal_in_graph(hidden, spans, hidden)

    found = largest(text_work, tf.TensorSpec([None], tf.string), np.array(lines, object))
    assert found <= len(SYMBOLS) * sum(map(len, lines))


def test_no_tensor_is_larger_than_the_pieces_that_are_cut_into_chunks(tokenizers):
    lines = [[5], *[[5] * 11] * 500, [6, 7] * 3000]
    lengths = [len(line) for line in lines]
    splitter = Splitter(tokenizers.source, limit=10)

    def chunks(lengths):
        ids = tf.constant(np.concatenate(lines), tf.int32)
        return splitter.split_in_graph(tf.RaggedTensor.from_row_lengths(ids, lengths)).flat_values

    found = largest(chunks, tf.TensorSpec([None], tf.int64), np.array(lengths))
    assert found <= sum(lengths)
