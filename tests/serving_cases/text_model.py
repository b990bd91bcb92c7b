"""A tiny SavedModel that takes text as an export of `nmt` does: SentencePiece in and out, no network between."""

import io
import os
from pathlib import Path

import sentencepiece
import tensorflow as tf
import tensorflow_text

MAX_PIECES = 20
ENGLISH = ["the quick brown fox jumps over the lazy dog", "a sentence in, a sentence out", "how are you today"] * 20
GERMAN = ["der schnelle braune fuchs springt über den faulen hund", "ein satz hinein, ein satz heraus"] * 20


def train_tokenizer(lines: list[str], *, vocabulary_size: int) -> bytes:
    """A SentencePiece model of these lines."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=vocabulary_size,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


class TextModel(tf.Module):
    """text [batch] -> its first MAX_PIECES pieces as text again, minus the number of pieces, whether it was cut."""

    def __init__(self, model: bytes) -> None:
        super().__init__()
        self.tokenizer = tensorflow_text.SentencepieceTokenizer(model=model, name="text_model")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def translate(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        pieces = self.tokenizer.tokenize(text)
        lengths = pieces.row_lengths()
        return {
            "translation": self.tokenizer.detokenize(pieces[:, :MAX_PIECES]),
            "score": -tf.cast(lengths, tf.float32),
            "truncated": lengths > MAX_PIECES,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def nbest(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        best = self.translate(text)
        return {
            "translation": tf.stack([best["translation"], text], axis=1),
            "score": tf.stack([best["score"], best["score"] - 1], axis=1),
            "truncated": best["truncated"],
        }


def export_text_model(model: bytes, directory: Path, *, version: int) -> None:
    """Saves it as `directory/version`, written aside and renamed as `nmt export` does."""
    module = TextModel(model)
    aside = directory / f"writing-{version}"
    signatures = {"serving_default": module.translate, "nbest": module.nbest}
    tf.saved_model.save(module, str(aside), signatures=signatures)
    os.rename(aside, directory / str(version))
