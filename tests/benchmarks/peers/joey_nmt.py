"""Joey NMT 2.3.0 as a contender of ../train.py, ../translate.py and ../text.py; runs in an environment of its own:

    python3.11 -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install torch==2.13.0 joeynmt==2.3.0 importlib_metadata

and is then given to those benchmarks as `--joey-nmt ENVIRONMENT/bin/python`. Its own classes do all the work: model,
batch, loss, clipping, optimizer and search, put together as its TrainManager and `predict` do. What of it fails with
today's libraries (reading its configuration, its plateau schedule) is not needed for that.
"""

import pathlib
import sys
from types import SimpleNamespace

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import torch
from bench import answer_as_peer, source_batches
from joeynmt.batch import Batch
from joeynmt.builders import build_gradient_clipper, build_optimizer
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary

# The first four of its vocabulary, always; the arrays have padding as 0, and no unknown words.
UNK, PAD, BOS, EOS = range(4)
SPECIAL = {
    "unk_token": "<unk>", "unk_id": UNK, "pad_token": "<pad>", "pad_id": PAD,
    "bos_token": "<s>", "bos_id": BOS, "eos_token": "</s>", "eos_id": EOS,
    "sep_token": None, "sep_id": None, "lang_tags": [],
}  # fmt: skip


def build(vocabulary):
    """The benchmarks' model: see ../reference.py."""
    words = Vocabulary([f"w{number}" for number in range(vocabulary - 4)], SimpleNamespace(**SPECIAL))
    rates = {"dropout": 0.2, "embeddings": {"embedding_dim": 256, "dropout": 0.2}}
    decoder = {"hidden_size": 512, "attention": "luong", "input_feeding": False, "init_hidden": "bridge"}
    config = {
        "encoder": {"type": "recurrent", "rnn_type": "lstm", "hidden_size": 256, "bidirectional": True, **rates},
        "decoder": {"type": "recurrent", "rnn_type": "lstm", "hidden_dropout": 0.2, **decoder, **rates},
    }
    return build_model(config, src_vocab=words, trg_vocab=words)


def batch(source, target=None):
    """ids int [rows, time], padded with 0: the source with EOS, the target with BOS and EOS."""
    source, target = (None if ids is None else torch.tensor(np.where(ids == 0, PAD, ids)) for ids in (source, target))
    return Batch(
        src=source,
        src_length=(source != PAD).sum(dim=1),
        src_prompt_mask=None,
        trg=target,
        trg_prompt_mask=None,
        indices=torch.arange(len(source)),
        device=torch.device("cpu"),
        pad_index=PAD,
        eos_index=EOS,
    )


def training(path, weights):
    arrays = np.load(path)
    model = build(int(arrays["vocabulary"]))
    model.loss_function = ("crossentropy", 0.1)
    model.train()
    optimizer = build_optimizer({"optimizer": "adam", "learning_rate": 1e-3}, model.parameters())
    clip = build_gradient_clipper({"clip_grad_norm": 1.0, "clip_grad_val": None})
    batches = []
    for number in range(int(arrays["batches"])):
        source, target_in, target_out = (arrays[f"{part}_{number}"] for part in ("source", "target_in", "target_out"))
        batches.append((source, np.concatenate([target_in[:, :1], target_out], axis=1)))
    tokens = int(sum(np.count_nonzero(target[:, 1:]) for _, target in batches))

    def repetition():
        for ids in batches:
            pairs = batch(*ids)
            pairs.sort_by_src_length()
            summed, _, _, _ = model(return_type="loss", **vars(pairs))
            loss = pairs.normalize(summed, "tokens")
            loss.backward()
            clip(parameters=model.parameters())
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
        if weights:
            torch.save(model.state_dict(), weights)
        return tokens

    return repetition


def translating(path, beam_size, rows, weights):
    arrays = np.load(path)
    lengths = {"min_output_length": int(arrays["fewest"]), "max_output_length": int(arrays["most"])}
    model = build(int(arrays["vocabulary"]))
    if weights:
        model.load_state_dict(torch.load(weights))
    model.eval()
    batches = [(some, some.sort_by_src_length()) for some in map(batch, source_batches(arrays["source"], rows))]

    def repetition():
        found = []
        for some, order in batches:
            rows_found, _, _ = search(model, some, beam_size=beam_size, beam_alpha=1.0, **lengths)
            found += list(rows_found[order])
        return [[int(number) for number in row if number > EOS] for row in found] if weights else len(found)

    return repetition


if __name__ == "__main__":
    answer_as_peer(training, translating)
