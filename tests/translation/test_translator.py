"""The text work of translating, above an engine that is NumPy only: in a process that never imports TensorFlow."""

import subprocess
import sys

PROGRAM = """
import sys
import threading
import numpy as np
from nmt.config.search import SearchConfig
from nmt.text.protection import Protection
from nmt.text.tokenizer import EOS, Tokenizers
from nmt.translation.engine import SearchResult
from nmt.translation.translator import Translator


threads = set()


class Echo:
    '''Translates each row into itself, reads each piece at its own place, and finds every row faulty.'''

    def search(self, source, options, *, prefix, num_symbols, with_weights):
        threads.add(threading.current_thread().name)
        assert source.shape[1] <= options.max_source_length + 1 + len(tag), 'chunks'
        lengths = (source != 0).sum(axis=1)
        weights = np.broadcast_to(np.eye(source.shape[1], dtype=np.float32), (len(source), 1, *[source.shape[1]] * 2))
        faults = np.tile([True, False, False], (len(source), 1))
        scores = -np.float32(lengths)[:, np.newaxis]
        return SearchResult(source[:, np.newaxis], scores, lengths[:, np.newaxis], weights, faults, None)

    def score(self, batch):
        return -np.ones(batch.target_out.shape, np.float32)


tokenizers = Tokenizers.load(sys.argv[1])
tag = []
protection = Protection(['urls', 'numbers'])
options = SearchConfig(max_source_length=7)
translator = Translator(Echo(), tokenizers, options, protection=protection, alignments=True)
lines = ['seven', '', 'twenty-one. four? see https://x.org/a 42 times. ' * 4, b'\\xff seven']
found = translator.translate(lines)
for line, translation in zip(lines, found):
    text = line if isinstance(line, str) else line.decode('utf-8', 'replace')
    assert all(translation.text.count(span) == text.count(span) for span in ('https://x.org/a', '42'))
    pieces = len(translation.source_pieces)
    assert translation.n_best[0].pieces == translation.source_pieces
    np.testing.assert_array_equal(translation.alignment, np.eye(pieces))
    assert translation.faults == (('repetition',) if pieces else ())
    assert translation.degenerate == bool(pieces)
assert found[0].text == 'seven'
many = [' '.join(['seven'] * (1 + place % 9)) for place in range(300)]
translator.threads = 3
assert [one.text for one in translator.translate(many)] == many
assert threads > {threading.main_thread().name}, threads
translator.max_line_pieces = 4
whole, cut = translator.translate([lines[0], lines[2]])
assert len(cut.source_pieces) == 4
assert (whole.truncated, cut.truncated) == (False, True)


class Tagged(Echo):
    def search(self, source, options, **settings):
        assert (source[:, : len(tag)] == tag).all(), 'the tag is before each chunk'
        return super().search(source, options, **settings)


tag = tokenizers.source.tag_ids('on')
options = SearchConfig(max_source_length=7, tag='on')
tagged = Translator(Tagged(), tokenizers, options, protection=protection, alignments=True)
for plain, translation in zip(found, tagged.translate(lines)):
    assert translation.source_pieces == plain.source_pieces
    assert translation.alignment.shape == (len(translation.n_best[0].pieces), len(plain.source_pieces))
(ids,) = tokenizers.target.encode(['sieben'])
(scores,) = translator.score(['seven'], ['sieben'])
assert scores.tolist() == [-1.0] * (len(ids) + 1)
assert not {'tensorflow', 'keras'} & set(sys.modules), sorted(sys.modules)
"""


def test_the_text_work_runs_without_tensorflow_above_any_engine(number_run):
    arguments = [sys.executable, "-c", PROGRAM, str(number_run.path / "tokenizer")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
