"""Writes the demo corpus: dates, times, numbers, amounts and durations, written out in English and German.

    python data_scripts/demo.py DIR [--pairs N] [--seed N]

Nothing is downloaded: Babel brings the Unicode CLDR (how a language writes dates, money, units, countries) and
num2words its number words. Each line of DIR/{train,valid,test}.{en,de} is a sentence frame with its slots filled in;
each English line has one right translation, and no line of one file stands in another. What a model has to learn:
4:15 PM is 16:15, half past three is halb vier, forty-two is zweiundvierzig, 1,234.50 is 1.234,50, German word order.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_name
from babel.units import format_unit
from num2words import num2words

HELD_OUT = 500  # lines of the validation set, and of the test set
ENGLISH, GERMAN = Locale("en"), Locale("de")


class Pair(NamedTuple):
    """The same thing in both languages."""

    english: str
    german: str


Slot = Callable[[random.Random], Pair]

# Sentences in both languages. A slot is a key of SLOTS; `weekday_2` is a second, different weekday.
FRAMES = """
{event} is on {date}, at {time}. = {event} ist am {date}, um {time} Uhr.
{event} on {day} has been canceled. = {event} am {day} fällt aus.
{event} starts at {opening} and ends at {closing}. = {event} beginnt um {opening} Uhr und endet um {closing} Uhr.
{event} was moved from {weekday} to {weekday_2}. = {event} wurde von {weekday} auf {weekday_2} verlegt.
{event} begins {future}. = {event} beginnt {future}.
{vehicle} leaves at {clock} on {weekday}. = {vehicle} fährt am {weekday} um {clock} ab.
On {day}, {vehicle} leaves at {time}. = Am {day} fährt {vehicle} um {time} Uhr ab.
It is {clock}. = Es ist {clock}.
It is {clock} and {name} is still asleep. = Es ist {clock} und {name} schläft noch.
{name} has to get up at {clock} on {weekday}. = {name} muss am {weekday} um {clock} aufstehen.
{name} is meeting {name_2} at {clock}. = {name} trifft {name_2} um {clock}.
{place} is open today from {opening} to {closing}. = {place} ist heute von {opening} bis {closing} Uhr geöffnet.
{place} was built in {year}. = {place} wurde {year} gebaut.
{place} has {count} employees. = {place} hat {count} Angestellte.
The village has {large_count} inhabitants. = Das Dorf hat {large_count} Einwohner.
The story begins in {year_words}. = Die Geschichte beginnt im Jahr {year_words}.
{name} was born on {birthday}. = {name} wurde am {birthday} geboren.
{name} turns {age} on {day}. = {name} wird am {day} {age} Jahre alt.
Happy {nth} birthday, {name}! = Alles Gute zum {nth} Geburtstag, {name}!
On {day}, {name} is flying from {country} to {country_2}. = Am {day} fliegt {name} von {country} nach {country_2}.
{name} speaks {languages}. = {name} spricht {languages}.
{name} finished in {ordinal} place. = {name} belegte den {ordinal}n Platz.
That was the {ordinal} attempt. = Das war der {ordinal} Versuch.
{name} bought {count} {goods}. = {name} hat {count} {goods} gekauft.
There are {count} {goods} in the store. = Im Laden gibt es {count} {goods}.
We need {number} {goods} by {weekday}. = Wir brauchen bis {weekday} {number} {goods}.
We have sold {number} {goods} since {month}. = Wir haben seit {month} {number} {goods} verkauft.
The trip takes {duration}. = Die Reise dauert {duration}.
The bill comes to {amount}. = Die Rechnung beträgt {amount}.
{name} and {name_2} are traveling to {country} {future}. = {name} und {name_2} reisen {future} nach {country}.
{name} came back from {country} {past}. = {name} ist {past} aus {country} zurückgekommen.
The {goods} cost {price}. = Die {goods} kosten {price}.
In {month}, the rent rises to {rent}. = Im {month} steigt die Miete auf {rent}.
{name} earns {salary} a year. = {name} verdient {salary} im Jahr.
Sales rose by {percent} in the {quarter}. = Der Umsatz stieg im {quarter} um {percent}.
The box weighs {weight}. = Die Kiste wiegt {weight}.
It is {distance} to the border. = Bis zur Grenze sind es {distance}.
On {day}, the temperature rose to {temperature}. = Am {day} stieg die Temperatur auf {temperature}.
"""

NAMES = "Anna, Paul, Maria, Jonas, Lena, David, Sophie, Felix, Clara, Martin"
EVENTS = """the meeting = die Besprechung, the lecture = die Vorlesung, the concert = das Konzert, the game = das Spiel,
    the party = die Feier, the course = der Kurs, the wedding = die Hochzeit, the exam = die Prüfung"""
VEHICLES = "the train = der Zug, the bus = der Bus, the ferry = die Fähre, the night train = der Nachtzug"
PLACES = """the museum = das Museum, the library = die Bibliothek, the pharmacy = die Apotheke, the zoo = der Zoo,
    the swimming pool = das Schwimmbad, the town hall = das Rathaus, the castle = das Schloss, the hotel = das Hotel"""
GOODS = """chairs = Stühle, books = Bücher, tickets = Eintrittskarten, apples = Äpfel, bottles = Flaschen, eggs = Eier,
    stamps = Briefmarken, lamps = Lampen, candles = Kerzen, roses = Rosen"""
COUNTRIES = "IT, NO, FR, ES, SE, PL, AT, GR, JP, CA, BR, IN, EG, NZ"
LANGUAGES = "en, de, fr, it, es, pl, ru, ja, sv, el, da, cs"
# As people tell the time: minutes -> English and German; `{0}` is the hour that has begun, `{1}` the one to come.
CLOCK = {
    0: Pair("{0} o'clock", "{0} Uhr"),
    5: Pair("five past {0}", "fünf nach {0}"),
    10: Pair("ten past {0}", "zehn nach {0}"),
    15: Pair("a quarter past {0}", "Viertel nach {0}"),
    20: Pair("twenty past {0}", "zwanzig nach {0}"),
    25: Pair("twenty-five past {0}", "fünf vor halb {1}"),
    30: Pair("half past {0}", "halb {1}"),
    35: Pair("twenty-five to {1}", "fünf nach halb {1}"),
    40: Pair("twenty to {1}", "zwanzig vor {1}"),
    45: Pair("a quarter to {1}", "Viertel vor {1}"),
    50: Pair("ten to {1}", "zehn vor {1}"),
    55: Pair("five to {1}", "fünf vor {1}"),
}


def both(write: Callable[..., str], *arguments: object, **options: object) -> Pair:
    """What a Babel function writes in each language."""
    return Pair(*(write(*arguments, locale=locale, **options) for locale in (ENGLISH, GERMAN)))


def in_words(number: int, kind: str = "cardinal") -> Pair:
    english, german = (num2words(number, lang=language, to=kind) for language in ("en", "de"))
    return Pair(english.replace(",", ""), german)


def listed(text: str, separator: str = ",") -> list[Pair]:
    """The pairs of a text such as "the zoo = der Zoo, Anna": without " = " both languages say the same."""
    sides = [entry.strip().split(" = ") for entry in text.strip().split(separator)]
    return [Pair(side[0], side[-1]) for side in sides]


def one_of(pairs: list[Pair]) -> Slot:
    return lambda drawn: drawn.choice(pairs)


def cldr_names(kind: str, codes: str) -> Slot:
    english, german = (getattr(locale, kind) for locale in (ENGLISH, GERMAN))
    return one_of([Pair(english[code], german[code]) for code in codes.split(", ")])


def calendar_names(kind: str, keys: range) -> Slot:
    english, german = (getattr(locale, kind)["format"]["wide"] for locale in (ENGLISH, GERMAN))
    return one_of([Pair(english[key], german[key]) for key in keys])


def digits(least: int, most: int) -> Slot:
    return lambda drawn: Pair(*[str(drawn.randint(least, most))] * 2)


def dates(first_year: int, last_year: int, english: str, german: str) -> Slot:
    """A day of those years, in a CLDR format for each language."""
    first, last = datetime.date(first_year, 1, 1).toordinal(), datetime.date(last_year, 12, 31).toordinal()

    def draw(drawn: random.Random) -> Pair:
        day = datetime.date.fromordinal(drawn.randint(first, last))
        return Pair(format_date(day, english, ENGLISH), format_date(day, german, GERMAN))

    return draw


def times(first_hour: int, last_hour: int, step: int) -> Slot:
    def draw(drawn: random.Random) -> Pair:
        moment = datetime.time(drawn.randint(first_hour, last_hour), drawn.randrange(0, 60, step))
        return both(format_time, moment, "short")

    return draw


def clock(drawn: random.Random) -> Pair:
    hour = drawn.randint(1, 12)
    begun, coming = in_words(hour), in_words(hour % 12 + 1)
    phrase = CLOCK[drawn.choice(list(CLOCK))]
    german = phrase.german.format(begun.german, coming.german)
    return Pair(phrase.english.format(begun.english, coming.english), german.replace("eins Uhr", "ein Uhr"))


def relative(sign: int) -> Slot:
    """in 5 days, or 5 days ago."""

    def draw(drawn: random.Random) -> Pair:
        unit, most = drawn.choice([("hour", 23), ("day", 13), ("week", 10)])
        span = sign * datetime.timedelta(**{f"{unit}s": drawn.randint(2, most)})
        return both(format_timedelta, span, granularity=unit, threshold=1000, add_direction=True)

    return draw


def duration(drawn: random.Random) -> Pair:
    hours, minutes = drawn.randint(1, 12), drawn.randrange(5, 60, 5)
    parts = zip(both(format_unit, hours, "duration-hour"), both(format_unit, minutes, "duration-minute"), strict=True)
    return Pair(
        *(format_list(list(part), locale=locale) for part, locale in zip(parts, (ENGLISH, GERMAN), strict=True))
    )


def count(most: int) -> Slot:
    """Number words before a plural noun; German bends those that end in one, so these are left out."""

    def draw(drawn: random.Random) -> Pair:
        number = drawn.randint(2, most)
        return in_words(number if number % 100 != 1 else number + 1)

    return draw


def amount(drawn: random.Random) -> Pair:
    number, currency = drawn.randint(2, 99), drawn.choice(["EUR", "USD", "CHF"])
    names = both(get_currency_name, currency, count=number)
    return Pair(*(f"{words} {name}" for words, name in zip(in_words(number), names, strict=True)))


def prices(least: int, most: int, step: float) -> Slot:
    """An amount in digits; whole ones without decimals."""

    def draw(drawn: random.Random) -> Pair:
        number = least + step * drawn.randrange(int((most - least) / step))
        written = both(format_currency, number, drawn.choice(["EUR", "USD", "GBP"]))
        return Pair(*(re.sub(r"[.,]00\b", "", side) for side in written))

    return draw


def nth(drawn: random.Random) -> Pair:
    number = drawn.randint(1, 99)
    return Pair(num2words(number, to="ordinal_num"), f"{number}.")


def measure(*units: str, most: int = 999) -> Slot:
    """A number, half of them with a decimal, and a unit: 12.5 kilometers."""

    def draw(drawn: random.Random) -> Pair:
        number = drawn.randint(2, most) + drawn.choice([0, drawn.randint(1, 9) / 10])
        return both(format_unit, number, drawn.choice(units))

    return draw


def percent(drawn: random.Random) -> Pair:
    share = drawn.choice([drawn.randint(2, 99) / 100, drawn.randint(20, 999) / 1000])
    return both(format_percent, share, decimal_quantization=False)


def languages(drawn: random.Random) -> Pair:
    codes = drawn.sample(LANGUAGES.split(", "), drawn.choice([2, 3]))
    return Pair(
        *(format_list([locale.languages[code] for code in codes], locale=locale) for locale in (ENGLISH, GERMAN))
    )


SLOTS: dict[str, Slot] = {
    "age": digits(2, 99),
    "amount": amount,
    "birthday": dates(1930, 2020, "long", "long"),
    "clock": clock,
    "closing": times(14, 21, 15),
    "count": count(999),
    "country": cldr_names("territories", COUNTRIES),
    "date": dates(2020, 2039, "full", "full"),
    "day": dates(2020, 2020, "MMMM d", "d. MMMM"),
    "distance": measure("length-kilometer", "length-meter"),
    "duration": duration,
    "event": one_of(listed(EVENTS)),
    "future": relative(+1),
    "goods": one_of(listed(GOODS)),
    "languages": languages,
    "large_count": count(9999),
    "month": calendar_names("months", range(1, 13)),
    "name": one_of(listed(NAMES)),
    "nth": nth,
    "number": lambda drawn: both(format_decimal, drawn.randint(100, 99_999)),
    "opening": times(6, 11, 15),
    "ordinal": lambda drawn: in_words(drawn.randint(1, 99), "ordinal"),
    "past": relative(-1),
    "percent": percent,
    "place": one_of(listed(PLACES)),
    "price": prices(2, 200, 0.25),
    "quarter": calendar_names("quarters", range(1, 5)),
    "rent": prices(300, 3000, 10),
    "salary": prices(20_000, 99_000, 100),
    "temperature": measure("temperature-celsius", most=39),
    "time": times(0, 23, 5),
    "vehicle": one_of(listed(VEHICLES)),
    "weekday": calendar_names("days", range(7)),
    "weight": measure("mass-kilogram", "mass-gram"),
    "year": digits(1850, 2025),
    "year_words": lambda drawn: in_words(drawn.choice([drawn.randint(1110, 1999), drawn.randint(2010, 2049)]), "year"),
}


def sentence(drawn: random.Random) -> Pair:
    """One frame with its slots filled in; a second slot of a kind never repeats the first one's value."""
    frame = drawn.choice(listed(FRAMES, "\n"))
    filled: dict[str, Pair] = {}
    for _, slot, _, _ in string.Formatter().parse(frame.english):
        while slot and slot not in filled:
            value = SLOTS[slot.removesuffix("_2")](drawn)
            if value not in filled.values():
                filled[slot] = value
    english, german = (
        frame[side].format(**{slot: value[side] for slot, value in filled.items()}) for side in range(len(frame))
    )
    return Pair(plain(english), plain(german))


def plain(line: str) -> str:
    """CLDR's no-break spaces become plain ones, as tokenizers read them; a sentence starts with a capital."""
    return line[0].upper() + re.sub(r"[\u00a0\u202f]", " ", line[1:])


def distinct_sentences(drawn: random.Random) -> Iterator[Pair]:
    """Sentences of which no side was there before."""
    seen: set[str] = set()
    while True:
        pair = sentence(drawn)
        if seen.isdisjoint(pair):
            seen.update(pair)
            yield pair


def write_corpus(directory: Path, pairs: list[Pair], name: str) -> None:
    """Writes each file aside and renames it, so that no half of one is ever found."""
    for side, language in enumerate(("en", "de")):
        aside = directory / f".{name}.{language}.{os.getpid()}"
        aside.write_text("".join(pair[side] + "\n" for pair in pairs), encoding="utf-8", newline="\n")
        os.replace(aside, directory / f"{name}.{language}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Writes the demo corpus: dates, numbers and amounts in English and German."
    )
    parser.add_argument("directory", type=Path, help="where {train,valid,test}.{en,de} are written")
    parser.add_argument("--pairs", type=int, default=24_000, help="training pairs (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed writes the same corpus (default %(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.pairs < 1:
        parser.error(f"--pairs must be at least 1, got {arguments.pairs}")

    sentences = distinct_sentences(random.Random(arguments.seed))
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for name, size in (("test", HELD_OUT), ("valid", HELD_OUT), ("train", arguments.pairs)):
        write_corpus(arguments.directory, [next(sentences) for _ in range(size)], name)
        print(f"{arguments.directory / name}.{{en,de}}: {size:,} pairs")


if __name__ == "__main__":
    main()
