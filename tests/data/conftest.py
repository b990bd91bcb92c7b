"""A job with two corpora and its tokenizers."""

import pytest
from prepared_corpus import sentences, write

from nmt.config.settings import Config
from nmt.text.tokenizer import Tokenizers, train_tokenizers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("corpora")


@pytest.fixture(scope="module")
def job(folder):
    write(folder, "a", sentences("a", 300))
    write(folder, "b", sentences("b", 90))
    write(folder, "validation", sentences("ba", 50))

    def make(weights=(("a", 1.0), ("b", 1.0)), *, seed=1, sampling_alpha=0.0, protect=(), **data) -> Config:
        def files(name):
            (source,) = folder.glob(f"{name}.source*")
            return {"source": str(source), "target": str(source).replace("source", "target")}

        return Config(
            run=str(folder / "run"),
            source_language="aa",
            target_language="bb",
            seed=seed,
            data={
                "train": [{**files(name), "weight": weight} for name, weight in weights],
                "validation": files("validation"),
                **{"max_length": 60, "batch_tokens": 256, "planted_symbols": 0.0, "case_augmentation": 0.0, **data},
            },
            protect=list(protect),
            tokenizer={"vocabulary_size": 80, "sampling_alpha": sampling_alpha},
        )

    return make


@pytest.fixture(scope="module")
def tokenizers(job) -> Tokenizers:
    return train_tokenizers(job())
