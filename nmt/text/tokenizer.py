"""SentencePiece: trained from the config's corpora; text <-> token ids (Kudo & Richardson 2018).

Source text is normalized, so that variants of a character are read as one; target text is not (target_text.py). Both
can share one set of pieces all the same.
"""

from __future__ import annotations

import io
import math
import os
import re
import string
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, chain
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

import numpy as np
import sentencepiece

from nmt.config.settings import Config
from nmt.full_disk import naming
from nmt.text.bpe_dropout import merged
from nmt.text.files import count_pairs, evenly, read_side
from nmt.text.invisible import visible
from nmt.text.sentencepiece_model import BPE, Model
from nmt.text.target_text import EXTRA_SPACE, VERBATIM, denormalizer, normalizer, prepare, shown

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIAL_PIECES = ("<pad>", "<unk>", "<s>", "</s>")
# Symbols for protected spans (protection.py), and the joiner between one and a word. Noncharacters (Unicode, 23.7): no
# text uses them, and normalization produces none. Their ids follow those of the special pieces.
SYMBOLS = tuple(map(chr, range(0xFDD0, 0xFDD8)))
JOINER = chr(0xFDD8)
FIRST_SYMBOL = EOS + 1

# The trained model depends on the number of threads: a constant gives the same model on all machines.
_TRAINING_THREADS = 4
# Number of segmentations of a word that sampling chooses from.
_SEGMENTATIONS = 16
_CACHED_SPANS = 100_000
_SPACE = "\u2581"  # SentencePiece's mark before each word

# Scripts without spaces between words, where a "word" is a whole sentence: Thai, Lao, Burmese, Khmer, Kana, Han.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# Ends of Japanese phrases and of clauses: spans that start there recur in other sentences.
_PHRASE_END = re.compile("(?<=[\u3041-\u309f])(?=[^\u3041-\u309f])|(?<=[\u3001\u3002\uff0c\uff01\uff1f\u300d,.!?;:])")
# Longest span in characters, in text without spaces and with them (where longer "words" are addresses and the like).
_UNSPACED_SPAN, _SPAN = 8, 32

_Normalize = Callable[[str], str]
_Segmentations = Callable[[float], list[int]]
_Side = tuple[Literal["source", "target"], _Normalize]  # of all corpora, and how it is normalized


class Tokenizer:
    """Text <-> ids of one side. `model` is the serialized SentencePiece model.

    Attributes:
        normalization: of SentencePiece's the name; VERBATIM for target text, except in runs of older versions.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        if not model:
            raise ValueError("an empty file, no SentencePiece model: its content was lost, take the file from a copy")
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise ValueError(f"not a SentencePiece model ({len(model):,} bytes)") from None
        processor = self._processor
        parsed = Model.FromString(model)
        self._is_bpe = parsed.trainer_spec.model_type == BPE
        self.normalization: str = parsed.normalizer_spec.name
        found = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if found != (PAD, UNK, BOS, EOS):
            raise ValueError(
                f"a SentencePiece model with pad, unk, bos, eos = {found}, expected {(PAD, UNK, BOS, EOS)}: train "
                f"it with --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3"
            )
        self.vocabulary_size: int = processor.get_piece_size()
        symbols = [processor.piece_to_id(symbol) for symbol in (*SYMBOLS, JOINER)]
        self.has_symbols = symbols == list(range(FIRST_SYMBOL, FIRST_SYMBOL + len(symbols)))
        self._remembered = lru_cache(maxsize=_CACHED_SPANS)(self._segmentations)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Reads a model file.

        Raises:
            ValueError: if the file is missing or is no SentencePiece model with this package's special ids.
        """
        try:
            model = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: cannot read the tokenizer: {error.strerror}") from None
        try:
            return cls(model)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def encode(self, lines: Sequence[str | bytes]) -> list[list[int]]:
        """Ids of each line, without BOS and EOS; invalid UTF-8 counts as U+FFFD, as in TensorFlow Text."""
        return self._processor.encode(_as_bytes(list(map(self._prepared, lines))), num_threads=os.cpu_count() or 1)

    def tag_ids(self, tag: str | None) -> list[int]:
        """What a tag (data.train[].tag, search.tag) puts before a line's ids: one id where it is a piece, else several.

        Raises:
            ValueError: if no pieces spell it.
        """
        if tag is None:
            return []
        piece = self._processor.piece_to_id(tag)
        ids = self.encode([tag])[0] if piece == UNK else [piece]
        if not ids or UNK in ids:
            raise ValueError(
                f"tag {tag}: this vocabulary cannot spell it: choose one of its characters, or train a new vocabulary "
                f"on corpora with that tag"
            )
        return ids

    def sample(self, lines: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """Ids of each line in a random segmentation: subword regularization, a pure function of the arguments.

        SentencePiece's own sampling is not reproducible in another process, so a resumed training would diverge. As no
        piece crosses a space, words are sampled one by one from the few segmentations of each. Long text without
        spaces, such as a Chinese or Japanese sentence, is first cut into short spans where two pieces of its best
        segmentation meet: the best segmentation stays the best, and spans recur, so that they can be cached.

        Args:
            alpha: unigram: smoothing of Kudo 2018, section 3.2, over the 16 best of a span (there: 64 of a sentence);
                0 is uniform, large is the best one. bpe: dropout rate of Provilkov et al. 2020, with 16 draws a span
                made once; 0 is `encode`, 1 single characters.
            seed: not negative.
        """
        spans = [[span for word in self._words(line) for span in self._spans(word)] for line in lines]
        draws = iter(np.random.default_rng(seed).random(sum(map(len, spans))).tolist())
        sampled: list[list[int]] = []
        for line_spans in spans:
            ids: list[int] = []
            for span in line_spans:
                ids += self._remembered(span, alpha)(next(draws))
            sampled.append(ids)
        return sampled

    def _words(self, line: str) -> list[str]:
        normalized = self._processor.normalize(self._prepared(line))
        return [_SPACE + word for word in normalized.split(_SPACE) if word]

    def _prepared(self, line: str | bytes) -> str | bytes:
        """A line as it is handed to SentencePiece."""
        if self.normalization != VERBATIM:
            return line
        text = line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")
        text = prepare(text, extra_spaces=self._knows_extra_spaces)
        return text if isinstance(line, str) else text.encode("utf-8", "surrogateescape")

    @cached_property
    def _knows_extra_spaces(self) -> bool:
        return UNK not in self._exact.encode(EXTRA_SPACE)

    def _spans(self, word: str) -> list[str]:
        """Parts of a word that are segmented independently; most words are one part."""
        unspaced = UNSPACED.search(word) is not None
        longest = _UNSPACED_SPAN if unspaced else _SPAN
        if len(word) <= longest and not unspaced:
            return [word]
        phrase_ends = {match.start() for match in _PHRASE_END.finditer(word)} if unspaced else set()
        spans, start, end = [], 0, 0
        for piece in self._exact.encode(word, return_type="proto").pieces:
            # Of a character spelled in bytes, only the last byte has text.
            after = end + len(piece.surface)
            if after > end > start and (after - start > longest or end in phrase_ends):
                spans.append(word[start:end])
                start = end
            end = after
        return [*spans, word[start:]]

    @cached_property
    def _exact(self) -> sentencepiece.SentencePieceProcessor:
        """Segments text that is normalized already and has the mark before each word."""
        model = Model.FromString(self.model)
        model.normalizer_spec.name, model.normalizer_spec.precompiled_charsmap = "identity", b""
        model.normalizer_spec.add_dummy_prefix = model.normalizer_spec.remove_extra_whitespaces = False
        return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())

    def _segmentations(self, span: str, alpha: float) -> _Segmentations:
        """Segmentations of a span, by a random number in [0, 1)."""
        if self._is_bpe:
            return self._dropout_segmentations(span, alpha)
        found = self._exact.nbest_encode(span, nbest_size=_SEGMENTATIONS)
        scores = [sum(map(self._id_scores.__getitem__, ids)) for ids in found]
        weights = [math.exp(alpha * (score - max(scores))) for score in scores]
        limits = [end / sum(weights) for end in accumulate(weights[:-1])]
        return lambda number: found[bisect(limits, number)]

    def _dropout_segmentations(self, span: str, rate: float) -> _Segmentations:
        """Each is made when it is first chosen: most words of a large corpus are rare."""
        whole = self._exact.encode(span)
        # Unknown characters, bytes and user-defined symbols are not merges: spans with them are not resegmented.
        if rate == 0.0 or self._piece_ids(merged(span, self._piece_scores)) != whole:
            return lambda number: whole
        found: dict[int, list[int]] = {}

        def choose(number: float) -> list[int]:
            draw = int(number * _SEGMENTATIONS)
            ids = found.get(draw)
            if ids is None:
                random = Random(f"{draw} {span}")
                ids = self._piece_ids(merged(span, self._piece_scores, rate=rate, random=random))
                found[draw] = ids = whole if ids == whole else ids  # the same list, for memory
            return ids

        return choose

    def _piece_ids(self, pieces: Sequence[str]) -> list[int]:
        return [self._ids.get(piece, UNK) for piece in pieces]

    @cached_property
    def _piece_scores(self) -> dict[str, float]:
        return {piece: self._id_scores[id_] for piece, id_ in self._ids.items()}

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {self._processor.id_to_piece(id_): id_ for id_ in range(EOS + 1, self.vocabulary_size)}

    @cached_property
    def _id_scores(self) -> list[float]:
        return [self._processor.get_score(id_) for id_ in range(self.vocabulary_size)]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Text of each row of ids; PAD, BOS and EOS are skipped.

        Raises:
            ValueError: for an id outside the vocabulary.
        """
        rows = [[int(id_) for id_ in row] for row in ids]
        try:
            return self._processor.decode(rows, num_threads=os.cpu_count() or 1) if rows else []
        except IndexError:
            raise ValueError(f"an id outside the vocabulary of {self.vocabulary_size} pieces") from None

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The piece of each id, with "▁" for the space before a word."""
        return [shown(self._processor.id_to_piece(int(id_))) for id_ in ids]


class Tokenizers(NamedTuple):
    """The tokenizers of both sides. Joint ones share their pieces; each side has its own normalization."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether an id means the same on both sides."""
        source, target = (tokenizer.pieces(range(tokenizer.vocabulary_size)) for tokenizer in self)
        return source == target

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes source.model and target.model."""
        for name, tokenizer in self._asdict().items():
            path = Path(directory) / f"{name}.model"
            with naming(path):
                path.write_bytes(tokenizer.model)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Tokenizers:
        """Reads source.model and target.model.

        Raises:
            ValueError: as `Tokenizer.load`.
        """
        return cls(*(Tokenizer.load(Path(directory) / f"{name}.model") for name in cls._fields))


def train_tokenizers(config: Config) -> Tokenizers:
    """Trains the tokenizers of a job from its training corpora: the same files and settings give the same bytes.

    They also see the lines in capitals that training sees (data.case_augmentation), and know each letter in both cases.
    Lines over 4,192 bytes (SentencePiece's own limit) take no part.

    Raises:
        ValueError: if a file cannot be read, or the text does not allow such a vocabulary; says what it does allow.
    """
    settings = config.tokenizer
    sentencepiece.set_min_log_level(2)  # else it reports every normalizer that it builds
    source_normalizer, target_normalizer = _normalizer(settings.normalization), normalizer()
    source: _Side = ("source", lambda line: source_normalizer.normalize(visible(line)))
    target: _Side = ("target", lambda line: target_normalizer.normalize(prepare(line)))
    if settings.joint:
        models = [_train([source, target], config, "source and target")] * 2
    else:
        models = [_train([source], config, "source"), _train([target], config, "target")]
    return Tokenizers(
        _with_normalization(models[0], settings.normalization, source_normalizer),
        _with_normalization(models[1], VERBATIM, target_normalizer, denormalizer()),
    )


def sample_size(config: Config) -> int:
    """How many pairs, evenly spread over all corpora, train the tokenizers where there are more."""
    sentences = config.tokenizer.max_sentences
    return max(1, sentences // 2) if config.tokenizer.joint else sentences


def _normalizer(rule: str) -> sentencepiece.SentencePieceNormalizer:
    return sentencepiece.SentencePieceNormalizer(rule_name=rule, add_dummy_prefix=False, escape_whitespaces=False)


def _with_normalization(
    model: bytes,
    name: str,
    normalizer: sentencepiece.SentencePieceNormalizer,
    denormalizer: sentencepiece.SentencePieceNormalizer | None = None,
) -> Tokenizer:
    """The pieces of a model with the normalization of one side."""
    parsed = Model.FromString(model)
    spec = type(parsed.normalizer_spec).FromString(normalizer.serialized_normalizer_spec())
    parsed.normalizer_spec.name, parsed.normalizer_spec.precompiled_charsmap = name, spec.precompiled_charsmap
    if denormalizer is not None:
        parsed.denormalizer_spec.ParseFromString(denormalizer.serialized_normalizer_spec())
    return Tokenizer(parsed.SerializeToString())


def _train(sides: Sequence[_Side], config: Config, name: str) -> bytes:
    """A SentencePiece model, without normalization rules, of normalized text."""
    settings = config.tokenizer
    tags = dict.fromkeys(corpus.tag for corpus in config.data.train if corpus.tag)
    defined = [*settings.user_defined_symbols, *(tag for tag in tags if tag not in settings.user_defined_symbols)]
    if reserved := set(defined) & set(SPECIAL_PIECES):
        raise ValueError(
            f"tokenizer.user_defined_symbols, data.train.tag: {', '.join(sorted(reserved))} is the name of a special "
            f"token: a line that contains it would end or begin a sentence; use another spelling"
        )
    model = io.BytesIO()
    sentences = _sentences(sides, config)
    symbols = [*SYMBOLS, JOINER] if config.protect else []
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sentences,
            model_writer=model,
            model_type=settings.type,
            vocab_size=settings.vocabulary_size,
            hard_vocab_limit=settings.hard_vocabulary_limit,
            character_coverage=settings.character_coverage,
            # Rare in text of thousands of other characters, but names and numbers consist of them.
            required_chars=string.ascii_letters + string.digits if settings.character_coverage < 1 else "",
            byte_fallback=settings.byte_fallback,
            normalization_rule_name="identity",
            user_defined_symbols=[*symbols, *defined],
            # Where spaces are kept, this version and the one inside TensorFlow Text decode differently.
            remove_extra_whitespaces=True,
            shuffle_input_sentence=False,
            num_threads=_TRAINING_THREADS,
            minloglevel=3,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
        )
    except RuntimeError as error:
        raise ValueError(_explained(str(error), config, name)) from None
    return model.getvalue()


def _sentences(sides: Sequence[_Side], config: Config) -> Iterator[str]:
    # Counting reads every file to its end: an error in one is said by its own name, not from inside the trainer.
    total = sum(map(count_pairs, config.data.train))

    def kept(side: _Side) -> Iterator[tuple[str, _Normalize]]:
        name, normalize = side
        lines = chain.from_iterable(read_side(corpus, name) for corpus in config.data.train)
        return ((line, normalize) for line in evenly(lines, total=total, keep=sample_size(config)))

    return _normalized(chain.from_iterable(map(kept, sides)), in_capitals_too=config.data.case_augmentation / 2)


def _normalized(lines: Iterable[tuple[str, _Normalize]], *, in_capitals_too: float) -> Iterator[str]:
    """The lines, a share of them once more in capitals, and at the end the letters that were met in one case only."""
    known: set[str] = set()
    for number, (line, normalize) in enumerate(lines):
        forms = [line]
        if int((number + 1) * in_capitals_too) > int(number * in_capitals_too) and line.upper() != line:
            forms.append(line.upper())
        for sentence in map(normalize, forms):
            yield sentence
            known.update(sentence)
    if in_capitals_too:
        both_cases = {normalize(character) for letter in known for character in letter.upper() + letter.lower()}
        yield from sorted(both_cases - known)


def _explained(error: str, config: Config, side: str) -> str:
    """Advice for an error of SentencePiece's trainer."""
    wanted = config.tokenizer.vocabulary_size
    if match := re.search(r"set it to a value <= (\d+)", error):
        return (
            f"tokenizer.vocabulary_size: {wanted}, but the {side} text has only {match[1]} different pieces: set at "
            f"most that, or hard_vocabulary_limit: false"
        )
    if match := re.search(r"smaller than required_chars\. \d+ vs (\d+)", error):
        return (
            f"tokenizer.vocabulary_size: {wanted}, but the characters of the {side} text and the special symbols alone "
            f"need {match[1]}: set more than that, or lower tokenizer.character_coverage"
        )
    if "sentences_.empty()" in error or "all_chars_count" in error:
        return f"data.train: the {side} text is empty: there is nothing to train a tokenizer on"
    return f"tokenizer: SentencePiece cannot train on the {side} text: {error}"


def _as_bytes(lines: Sequence[str | bytes]) -> list[bytes]:
    # A lone surrogate, which JSON can carry, has no UTF-8: it passes as invalid bytes like any others.
    return [line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line for line in lines]
