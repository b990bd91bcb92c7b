"""Plans what `nmt init` will write: the files and their names, the languages, the sizes of the held-out sets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from nmt.config.data import TextPair
from nmt.config.file import load_config
from nmt.config.resuming import config_path as run_config_path
from nmt.config.resuming import is_run
from nmt.text.files import count_pairs, no_pairs

# With fewer pairs nothing is learned, and none can be held out.
_LEAST_PAIRS = 1_000
# A held-out set's share of the pairs, its limits in pairs, and its largest share.
_SHARE, _LIMITS, _LARGEST_SHARE = 0.015, (500, 2_000), 0.05
_SUFFIXES = (".gz", ".txt")
# ISO 639-1.
_LANGUAGES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so
sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""


class Request(NamedTuple):
    """The user's request, as options of `nmt init`; None for options not given."""

    source: str | None = None
    target: str | None = None
    file: str | None = None  # instead of source and target
    source_language: str | None = None
    target_language: str | None = None
    validation_source: str | None = None
    validation_target: str | None = None
    test_source: str | None = None
    test_target: str | None = None
    minutes: float | None = None
    output: str | None = None
    from_run: str | None = None  # a run that is to be trained on

    @property
    def corpus(self) -> TextPair:
        if self.file is None:
            if self.source is None or self.target is None:
                raise ValueError("--source and --target are needed, or --file with both sides")
            return TextPair(source=self.source, target=self.target)
        if self.source_language is None or self.target_language is None:
            raise ValueError(f"--file {self.file}: say --source-language and --target-language, too")
        languages = {"source_language": self.source_language, "target_language": self.target_language}
        return TextPair(source=self.source, target=self.target, file=self.file, **languages)

    @property
    def validation(self) -> TextPair | None:
        return _both("validation", self.validation_source, self.validation_target)

    @property
    def test(self) -> TextPair | None:
        return _both("test", self.test_source, self.test_target)


class Plan(NamedTuple):
    """What will be written, and where."""

    config_path: Path
    name: str
    source_language: str
    target_language: str
    train: TextPair
    validation: TextPair
    test: TextPair | None
    counts: dict[str, int]  # pairs of each set; "corpus": all pairs
    cut: dict[str, TextPair]  # the sets written from parts of the corpus

    @property
    def run(self) -> str:
        return f"runs/{self.name}"


def _both(what: str, source: str | None, target: str | None) -> TextPair | None:
    if source is None and target is None:
        return None
    if source is None or target is None:
        raise ValueError(f"--{what}-source and --{what}-target belong together: give both or neither")
    return TextPair(source=source, target=target)


def plan_files(request: Request) -> Plan:
    corpus = request.corpus
    pairs = _usable(request)
    source, target = _languages(request)
    config_path, stem, name = _place(request.output or _name(request, source, target))
    endings = (source, target) if source != target else (f"source.{source}", f"target.{target}")

    def part(set_name: str) -> TextPair:
        files = [str(config_path.parent / f"{stem}{set_name}.{ending}") for ending in endings]
        return TextPair(source=files[0], target=files[1])

    given = {"validation": request.validation, "test": request.test}
    cut = [] if request.validation else ["train", *(each for each, pair in given.items() if pair is None)]
    paths = {each: part(each) for each in cut}
    size = _held_out_size(pairs)
    counts = {each: count_pairs(pair) for each, pair in given.items() if pair} | dict.fromkeys(cut, size)
    return Plan(
        config_path=config_path,
        name=name,
        source_language=source,
        target_language=target,
        train=paths.get("train", corpus),
        validation=request.validation or paths["validation"],
        test=request.test or paths.get("test"),
        counts={**counts, "corpus": pairs, "train": pairs - size * max(0, len(cut) - 1)},
        cut=paths,
    )


def _usable(request: Request) -> int:
    """The number of pairs of the corpus. Raises: ValueError if the files are not what the options say."""
    named = {"corpus": request.corpus, "validation": request.validation, "test": request.test}
    used: dict[str, str] = {}
    for what, pair in named.items():
        for path in pair.files.values() if pair else ():
            if earlier := used.get(os.path.realpath(path)):
                raise ValueError(f"{path} is given twice, in {earlier} and {what}: each side of each set is a file")
            used[os.path.realpath(path)] = what
    counts = {what: count_pairs(pair) for what, pair in named.items() if pair}
    for what, pairs in counts.items():
        pair = named[what]
        assert pair is not None
        if not pairs:
            raise ValueError(no_pairs(pair))
    if counts["corpus"] < _LEAST_PAIRS:
        raise ValueError(
            f"{request.corpus.name}: {counts['corpus']:,} pairs, but at least {_LEAST_PAIRS:,} pairs are needed to "
            f"train on, tens of thousands to learn a narrow domain"
        )
    return counts["corpus"]


def _languages(request: Request) -> tuple[str, str]:
    """Those of the run that is to be trained on, or of the corpus."""
    corpus = request.corpus
    if request.from_run is None:
        source = _language(request.source_language, corpus.places("source"), "source")
        return source, _language(request.target_language, corpus.places("target"), "target")
    if not is_run(request.from_run):
        raise ValueError(f"--from {request.from_run}: the directory of a run was expected")
    run = load_config(run_config_path(request.from_run))
    languages = (run.source_language, run.target_language)
    for said, language in zip((request.source_language, request.target_language), languages, strict=True):
        if said not in (None, language):
            raise ValueError(f"{request.from_run} translates from {' to '.join(languages)}, and {said} was given")
    return languages


def _name(request: Request, source: str, target: str) -> str:
    return f"{Path(request.from_run).resolve().name}-fine-tuned" if request.from_run else f"{source}-{target}"


def _language(said: str | None, path: str, side: str) -> str:
    """The language code given, or the one at the end of the file's name."""
    if said is not None:
        if not re.fullmatch(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]+)*", said):
            raise ValueError(f"--{side}-language {said!r}: a language code such as en, pt_BR or zh-Hans was expected")
        return said
    parts = Path(path).name.split(".")
    while len(parts) > 1 and f".{parts[-1]}" in _SUFFIXES:
        parts.pop()
    if len(parts) < 2 or re.split("[-_]", parts[-1].lower())[0] not in _LANGUAGES.split():
        raise ValueError(f"{path}: its name ends in no language code, as train.en does: say it with --{side}-language")
    return parts[-1]


def _place(output: str) -> tuple[Path, str, str]:
    """The config's path, what the names of the sets beside it begin with, and the job's name."""
    path = Path(output)
    if path.suffix in (".yaml", ".yml"):
        return path, f"{path.stem}.", path.stem
    return path / "config.yaml", "", path.resolve().name


def _held_out_size(pairs: int) -> int:
    low, high = _LIMITS
    return round(min(high, max(low, _SHARE * pairs), _LARGEST_SHARE * pairs))
