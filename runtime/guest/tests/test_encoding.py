"""Values as JSON and types: every line of the table, round trips, and what is refused."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import random
import struct
import unittest
import uuid
from typing import Any, NamedTuple

from pcm_guest.encoding import MAX_DEPTH, EncodingError, decode, encode, to_frame
from pcm_guest.records import Record

from tests.fake_port import strict_json


def crossed(value: Any) -> Any:
    """What comes out when a value is sent through the wall and back."""
    text, types = encode(value)
    return decode(strict_json(text.encode()), types)


class Color(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Number(enum.IntEnum):
    ONE = 1


class Word(str, enum.Enum):  # noqa: UP042 (the older form is the one to test)
    HI = "hi"


class Bits(enum.Flag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Item:
    name: str
    data: bytes


class Text(str):
    """Lies about itself in every way."""

    __slots__ = ()

    def __str__(self) -> str:
        return "forged"

    def encode(self, *_args: Any, **_options: Any) -> bytes:
        return b"forged"


class Int(int):
    def __int__(self) -> int:
        return 666

    __index__ = __int__

    def __repr__(self) -> str:
        return "forged"


class Float(float):
    def __float__(self) -> float:
        return 6.66

    def __repr__(self) -> str:
        return "forged"


class OfNumpy:
    """Stands in for numpy, which is not there on every backend."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def tolist(self) -> Any:
        return self if self._value is None else self._value


OfNumpy.__module__ = "numpy"


class Table(unittest.TestCase):
    """The lines of the table, each as value, JSON and types."""

    def check(self, value: Any, plain: Any, types: dict[str, str] | None = None) -> None:
        text, found = encode(value)
        self.assertEqual(found, types or {}, value)
        decoded = strict_json(text.encode())
        self.assertEqual(decoded, plain)
        self.assertIs(type(decoded), type(plain))
        # The same, when something beside it makes everything go the slow way.
        text, found = encode([value, b""])
        self.assertEqual(strict_json(text.encode()), [plain, ""])
        below = {f"/0{pointer}": name for pointer, name in (types or {}).items()}
        self.assertEqual(found, {**below, "/1": "bytes"})

    def test_what_json_has(self) -> None:
        for value in (
            None,
            True,
            False,
            0,
            -1,
            1.5,
            1e300,
            5e-324,
            "",
            "a",
            '\0\x1f\\"\u2028é\U0001f600',
        ):
            self.check(value, value)
        for value in (2**63 - 1, -(2**63), 2**63, 2**64 - 1):
            self.check(value, value)
        self.assertEqual(math.copysign(1, crossed(-0.0)), -1)

    def test_sequences(self) -> None:
        self.check([1, "a"], [1, "a"])
        self.check((1, (2,)), [1, [2]])
        self.check(Point(1, 2), [1, 2])
        self.check({3, 1, 2}, [1, 2, 3])
        self.check(frozenset("ba"), ["a", "b"])
        self.assertCountEqual(crossed({1, "a"}), [1, "a"])

    def test_dicts(self) -> None:
        for value in (
            {"a": 1},
            collections.OrderedDict(a=1),
            collections.defaultdict(int, a=1),
            collections.Counter("a"),
            Record(a=1),
        ):
            self.check(value, {"a": 1})
        self.check(Item("n", b"hi"), {"name": "n", "data": "aGk="}, {"/data": "bytes"})

    def test_keys(self) -> None:
        keys: list[tuple[Any, str]] = [
            (1, "1"),
            (1.5, "1.5"),
            (True, "true"),
            (False, "false"),
            (None, "null"),
            (math.nan, "NaN"),
            (-math.inf, "-Infinity"),
            (Number.ONE, "1"),
            (Int(1), "1"),
            (OfNumpy(1), "1"),
            (Text("t"), "t"),
            (Color.RED, "red"),
            (Word.HI, "hi"),
            (2**70, str(2**70)),
        ]
        for key, text in keys:
            self.check({key: 0}, {text: 0})

    def test_enums(self) -> None:
        for value, plain in {
            Color.RED: "red",
            Color.PAIR: [1, 2],
            Number.ONE: 1,
            Word.HI: "hi",
            Bits.A | Bits.B: 3,
        }.items():
            self.check(value, plain)

    def test_floats_that_json_has_no_word_for(self) -> None:
        self.check(math.nan, "NaN", {"": "float"})
        self.check(math.inf, "Infinity", {"": "float"})
        self.check(-math.inf, "-Infinity", {"": "float"})

    def test_large_integers(self) -> None:
        for value in (2**64, -(2**63) - 1, 10**30, -(10**3999)):
            self.check(value, str(value), {"": "int"})
        for value in (10**4001, -(10**4001), 2**100_000):
            self.check(value, hex(value), {"": "int"})

    def test_complex(self) -> None:
        self.check(1 + 2j, "(1+2j)", {"": "complex"})

    def test_bytes(self) -> None:
        for value in (b"hi", bytearray(b"hi"), memoryview(b"hi"), memoryview(b"h-i-")[::2]):
            self.check(value, "aGk=", {"": "bytes"})

    def test_times(self) -> None:
        utc = datetime.UTC
        for value, name in (
            (datetime.datetime(2024, 1, 2, 3, 4, 5, 6, utc), "datetime"),
            (datetime.date(1, 2, 3), "date"),
            (datetime.time(1, 2), "time"),
        ):
            self.check(value, value.isoformat(), {"": name})

    def test_timedeltas(self) -> None:
        for value, text in {
            datetime.timedelta(1, 2, 3): "86402.000003",
            datetime.timedelta(0): "0.000000",
            -datetime.timedelta(microseconds=1): "-0.000001",
            datetime.timedelta.max: "86399999999999.999999",
        }.items():
            self.check(value, text, {"": "timedelta"})

    def test_the_rest(self) -> None:
        some_uuid = uuid.UUID(int=5)
        for value, text, name in (
            (decimal.Decimal("1.50"), "1.50", "decimal"),
            (fractions.Fraction(1, 3), "1/3", "fraction"),
            (some_uuid, str(some_uuid), "uuid"),
            (pathlib.PurePosixPath("/a/b"), "/a/b", "path"),
        ):
            self.check(value, text, {"": name})

    def test_numpy_and_pandas(self) -> None:
        self.check(OfNumpy([1, [2]]), [1, [2]])
        self.check(OfNumpy(5), 5)
        not_a_time = type("NaTType", (datetime.datetime,), {})
        self.check(not_a_time(1, 1, 1), None)

    def test_lone_surrogates(self) -> None:
        self.check("a\ud800b", "a\ufffdb")
        self.check("\udc00\ud800", "\ufffd\ufffd")
        self.check({"\ud800": 1}, {"\ufffd": 1})
        self.check("\ufeffa", "\ufeffa")


class RoundTrip(unittest.TestCase):
    """`decode` undoes `encode`, for values made of the types that it gives back."""

    def test_floats_exactly(self) -> None:
        generator = random.Random(1)
        for _ in range(5000):
            (value,) = struct.unpack("<d", generator.randbytes(8))
            if math.isfinite(value):
                self.assertEqual(struct.pack("<d", crossed(value)), struct.pack("<d", value))
        for value in (
            0.1234567890123456789,
            1.7976931348623157e308,
            0.00012345678901234567,
            1e22,
            1e16,
        ):
            self.assertEqual(crossed(value), value)

    def test_integers_around_the_limits(self) -> None:
        for bits in (*range(50, 70), 127, 13_286, 13_287, 13_288, 20_000):
            for sign in (1, -1):
                for offset in (-1, 0, 1):
                    value = sign * (2**bits + offset)
                    self.assertEqual(crossed(value), value, (sign, bits, offset))
                    self.assertEqual(crossed([{"n": value}]), [{"n": value}])

    def test_anything(self) -> None:
        generator = random.Random(2)
        for _ in range(2000):
            value = anything(generator, 4)
            self.assertEqual(crossed(value), value)

    def test_pointers_are_escaped(self) -> None:
        value = {"a/b": {"~": [b"1"], "~1": b"2", "": {"0": b"3"}}, "": b"4"}
        self.assertEqual(crossed(value), value)
        self.assertEqual(encode({"a/b": {"~": b""}})[1], {"/a~1b/~0": "bytes"})

    def test_nothing_in_a_value_is_a_marker(self) -> None:
        for value in (
            {"types": {"": "bytes"}, "value": "aGk="},
            {"__py_repr__": "x"},
            {"$type": "bytes", "value": "aGk="},
            {"ok": True, "error": None},
            "NaN",
        ):
            self.assertEqual(encode(value)[1], {})
            self.assertEqual(crossed(value), value)

    def test_unknown_types_are_left_alone(self) -> None:
        self.assertEqual(decode({"a": "x"}, {"/a": "of-a-later-version"}), {"a": "x"})

    def test_the_users_decimal_context_changes_nothing(self) -> None:
        value = [datetime.timedelta(12345, 678, 901), decimal.Decimal("1.23456789")]
        with decimal.localcontext() as context:
            context.prec = 2
            context.traps[decimal.Inexact] = True
            self.assertEqual(crossed(value), value)

    def test_timedeltas_of_the_host(self) -> None:
        for text, seconds in {"86400": 86400.0, "1.5": 1.5, "-0.25": -0.25, "1e3": 1000.0}.items():
            self.assertEqual(decode(text, {"": "timedelta"}).total_seconds(), seconds)


def anything(generator: random.Random, depth: int) -> Any:
    """A random value that compares equal after a round trip."""
    if depth and generator.randrange(10) < 6:
        length = generator.randrange(4)
        if generator.randrange(2):
            return [anything(generator, depth - 1) for _ in range(length)]
        return {_text(generator): anything(generator, depth - 1) for _ in range(length)}
    number = generator.getrandbits(generator.randrange(1, 90)) * generator.choice((1, -1))
    return generator.choice(
        [
            None,
            generator.choice((True, False)),
            number,
            number / 1e6,
            generator.choice((math.inf, -math.inf)),
            _text(generator),
            _text(generator).encode(),
            complex(number % 1000, 0.5),
            datetime.timedelta(microseconds=number % 10**12),
            datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
            + datetime.timedelta(0, number % 10**9),
            datetime.date.fromordinal(1 + abs(number) % 3_000_000),
            datetime.time(abs(number) % 24, 30, 15, abs(number) % 10**6),
            decimal.Decimal(number).scaleb(-3),
            fractions.Fraction(number, 7),
            uuid.UUID(int=abs(number)),
            pathlib.PurePosixPath("/a") / str(number),
        ]
    )


def _text(generator: random.Random) -> str:
    alphabet = 'ab/~01 "\\\n\0é\u2028\U0001f600'
    return "".join(generator.choices(alphabet, k=generator.randrange(6)))


class Refused(unittest.TestCase):
    def test_other_types(self) -> None:
        for value in (object(), object, len, iter([]), {(1, 2): 3}, {b"k": 1}, [{object()}]):
            with self.assertRaises(EncodingError):
                encode(value)

    def test_keys_with_the_same_text(self) -> None:
        for value in (
            {1: "a", "1": "b"},
            {True: 1, "true": 2},
            {None: 1, "null": 2},
            {1.5: 1, "1.5": 2},
            dict.fromkeys(("\ud800", "\udfff")),
            {"x": {1: "a", "1": "b"}},
            [({1: 2, "1": 3},)],
        ):
            with self.assertRaisesRegex(EncodingError, "two keys of a dict"):
                encode(value)

    def test_depth(self) -> None:
        for wrap in (lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: {1: v}):
            value: Any = 1
            for _ in range(MAX_DEPTH):
                value = wrap(value)
            encode(value)
            with self.assertRaisesRegex(EncodingError, "nested deeper than 100 levels"):
                encode(wrap(value))

    def test_great_depth_and_cycles(self) -> None:
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        cycle: list[Any] = []
        cycle.append(cycle)
        wide_cycle: list[Any] = []
        wide_cycle += [wide_cycle] * 10
        for value in (deep, cycle, wide_cycle):
            with self.assertRaises(EncodingError):
                encode(value)
        while deep:  # unwinding it recursively would be the test's own crash
            deep = deep[0]

    def test_a_long_double_gives_itself(self) -> None:
        with self.assertRaises(EncodingError):
            encode(OfNumpy(None))

    def test_a_module_name_that_is_none(self) -> None:
        with self.assertRaises(EncodingError):
            encode(type("Odd", (), {"__module__": None})())


class Liars(unittest.TestCase):
    """Subclasses whose methods lie are sent as what they hold, the fast and the slow way."""

    def test_both_ways(self) -> None:
        value = [Text("t"), Int(7), Float(1.5), {Text("k"): 1}]
        for beside in ([], [b""]):
            text, _types = encode([*value, *beside])
            self.assertEqual(json.loads(text)[:4], ["t", 7, 1.5, {"k": 1}])


class Frames(unittest.TestCase):
    def test_any_characters(self) -> None:
        frame = to_frame({"a": "\ud800\0é"})
        self.assertEqual(strict_json(frame), {"a": "?\0é"})


if __name__ == "__main__":
    unittest.main()
