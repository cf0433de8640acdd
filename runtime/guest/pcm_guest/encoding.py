"""How values cross the wall.

A value becomes JSON, and where JSON has no word for it, a string or number plus a *type* that
travels beside the value under the JSON pointer of its place: `b"hi"` is `"aGk="` with
`{"": "bytes"}`. Nothing inside a value is ever a marker, so data cannot pose as one.

| Python | JSON | type |
|---|---|---|
| None, bool, float, str, int up to 64 bits | the same | |
| list, tuple, set, frozenset | array (a set in sorted order where it can be sorted) | |
| dict, dataclass | object; keys that are numbers, bools or None become their JSON text | |
| Enum | its value | |
| nan, inf, -inf | "NaN", "Infinity", "-Infinity" | float |
| larger int | decimal text (hexadecimal beyond 4000 digits) | int |
| complex | its text | complex |
| bytes, bytearray, memoryview | base64 text | bytes |
| datetime, date, time | ISO 8601 text | datetime, date, time |
| timedelta | seconds as decimal text | timedelta |
| Decimal, Fraction, UUID, path | its text | decimal, fraction, uuid, path |
| numpy scalar, numpy array | its Python value | |
| pandas' NaT | null | |

Anything else has no encoding: as a result it is shown by its repr, as an argument it is refused.
So have containers nested deeper than `MAX_DEPTH`, and dicts two of whose keys have the same text.
A lone surrogate in a string becomes U+FFFD.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import re
import uuid
from collections.abc import Callable, Iterator
from json.encoder import c_make_encoder  # type: ignore[attr-defined]
from typing import Any, NoReturn

MAX_DEPTH = 100
_MAX_DECIMAL_BITS = 13_287  # 4000 digits; Python refuses more than 4300

Types = dict[str, str]


class EncodingError(TypeError):
    """A value has no encoding."""


def encode(value: Any) -> tuple[str, Types]:
    """The JSON text of `value` and the types beside it."""
    if type(value) is int and -_SMALL < value < _SMALL:
        return str(value), {}
    kinds = {type(value)}
    try:
        if all(map(_has_text_keys, _containers(value, kinds))):
            text = _to_json(value)
            if kinds <= _WITHOUT_INTEGERS or _LONG_NUMBER.search(text) is None:
                text.encode()  # a lone surrogate goes the slow way
                return text, {}
    except (TypeError, ValueError, RecursionError):
        pass
    types: Types = {}
    plain = _plain(value, types, [])
    return _to_json(plain), types


def decode(value: Any, types: Types) -> Any:
    """Puts the typed places of a decoded JSON value back to what they were."""
    for pointer, name in types.items():
        revive = _REVIVE.get(name)
        if revive is None:
            continue
        if not pointer:
            return revive(value)
        *parents, last = (_unescape(part) for part in pointer[1:].split("/"))
        place = value
        for part in parents:
            place = place[_key(place, part)]
        key = _key(place, last)
        place[key] = revive(place[key])
    return value


def types_field(types: Types) -> str:
    """The field of a frame that stands right after a value; empty when there are no types."""
    return f',"types":{_to_json(types)}' if types else ""


def to_frame(value: dict[str, Any]) -> bytes:
    """JSON bytes of a frame's own fields, whatever characters user code put into them."""
    return _to_json(value).encode("utf-8", "replace")


def from_json(text: str) -> Any:
    """The value of a JSON text without white space around it."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    if end != len(text):
        raise ValueError("it is no JSON")
    return value


def _make_encoder() -> Callable[[Any], str]:
    """`JSONEncoder.encode` makes a new C encoder for every value; here one serves for all. It does
    not look for cycles: nothing reaches it that is nested without end."""
    if c_make_encoder is None:  # an interpreter without it
        return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    pieces = c_make_encoder(
        None, _refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )
    return lambda value: "".join(pieces(value, 0))


def _refuse(value: Any) -> NoReturn:
    raise EncodingError(f"{type(value).__name__} has no encoding")


# Bound here: code in the sandbox may replace the functions of the module.
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_to_json = _make_encoder()
# The fast way cannot see integers beyond 64 bits, so anything that might be one goes the slow way.
# The shortest number beyond them is -2**63 - 1, with 19 digits.
_LONG_NUMBER = re.compile(r"[0-9]{19}")


def _containers(value: Any, kinds: set[type]) -> Iterator[Any]:
    """The lists, tuples and dicts in a value, level by level; the types of what they hold are added
    to `kinds`. Refuses those that are too deep, before C code recurses into them: not every
    interpreter stops that in time."""
    level = {id(value): value} if isinstance(value, _CONTAINERS) else {}
    for _ in range(MAX_DEPTH):
        below: dict[int, Any] = {}
        for container in level.values():
            yield container
            items = container.values() if isinstance(container, dict) else container
            of_items = set(map(type, items))
            kinds |= of_items
            if not of_items <= _LEAVES:
                below.update((id(item), item) for item in items if isinstance(item, _CONTAINERS))
        level = below
        if not level:
            return
    raise EncodingError(f"nested deeper than {MAX_DEPTH} levels")


_SMALL = 2**53
_CONTAINERS = (list, tuple, dict)
_LEAVES = {type(None), bool, int, float, str}
_WITHOUT_INTEGERS = {type(None), bool, float, str, list, tuple, dict}
_TEXT = {str}


def _has_text_keys(container: Any) -> bool:
    """Whether it is certain that no two keys have the same text in JSON."""
    return not isinstance(container, dict) or set(map(type, container)) <= _TEXT


def _plain(value: Any, types: Types, path: list[str]) -> Any:
    """The slow way: rebuilds `value` out of what JSON has, and notes the types."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, types, path)
    if isinstance(value, str):
        return _without_surrogates(value)
    if isinstance(value, int):
        return _plain_int(int.__int__(value), types, path)
    if isinstance(value, float):
        return _plain_float(float.__float__(value), types, path)
    if type(value).__name__ == "NaTType":
        return None  # it poses as a datetime of the year 1
    for kind, name, write in _SCALARS:
        if isinstance(value, kind):
            types[_pointer(path)] = name
            return write(value)
    if len(path) >= MAX_DEPTH:
        raise EncodingError(f"nested deeper than {MAX_DEPTH} levels")
    return _plain_container(value, types, path)


def _plain_container(value: Any, types: Types, path: list[str]) -> Any:
    if isinstance(value, dict):
        return _plain_dict(value, types, path)
    if isinstance(value, (set, frozenset)):
        try:
            value = sorted(value)
        except TypeError:
            value = list(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, types, [*path, str(i)]) for i, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain_dict(fields, types, path)
    if _is_of_numpy(value):
        item = value.tolist()
        if type(item) is not type(value):  # a long double gives itself
            return _plain(item, types, path)
    _refuse(value)


def _plain_dict(value: dict[Any, Any], types: Types, path: list[str]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = _key_text(key)
        if name in plain:
            raise EncodingError(f"two keys of a dict are both {name!r} in JSON")
        plain[name] = _plain(item, types, [*path, name])
    return plain


def _is_of_numpy(value: Any) -> bool:
    return str(type(value).__module__).partition(".")[0] == "numpy" and hasattr(value, "tolist")


def _key_text(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if _is_of_numpy(key):
        key = key.tolist()
    if isinstance(key, str):
        return _without_surrogates(key)
    if isinstance(key, float):
        return str(_plain_float(float.__float__(key), {}, []))
    if key is None or isinstance(key, int):
        return _to_json(key)
    raise EncodingError(f"a dict key of type {type(key).__name__} has no encoding")


def _plain_int(value: int, types: Types, path: list[str]) -> int | str:
    if -(2**63) <= value < 2**64:
        return value
    types[_pointer(path)] = "int"
    return str(value) if value.bit_length() <= _MAX_DECIMAL_BITS else hex(value)


def _plain_float(value: float, types: Types, path: list[str]) -> float | str:
    if math.isfinite(value):
        return value
    types[_pointer(path)] = "float"
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _without_surrogates(text: str) -> str:
    """The characters of a string or of an instance of a subclass, as a plain string."""
    return str.encode(text, "utf-16", "surrogatepass").decode("utf-16", "replace")


def _pointer(path: list[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _key(place: Any, part: str) -> Any:
    return int(part) if isinstance(place, list) else part


# Not with Decimal: its results depend on the precision that user code chose.
def _seconds(value: datetime.timedelta) -> str:
    microseconds = value // datetime.timedelta(microseconds=1)
    whole, rest = divmod(abs(microseconds), 1_000_000)
    return f"{'-' if microseconds < 0 else ''}{whole}.{rest:06}"


def _from_seconds(text: str) -> datetime.timedelta:
    return datetime.timedelta(microseconds=int(fractions.Fraction(text) * 1_000_000))


# In this order: a datetime is also a date.
_SCALARS: list[tuple[type, str, Callable[[Any], str]]] = [
    (bytes, "bytes", lambda value: base64.b64encode(value).decode()),
    (bytearray, "bytes", lambda value: base64.b64encode(value).decode()),
    (memoryview, "bytes", lambda value: base64.b64encode(value.tobytes()).decode()),
    (datetime.datetime, "datetime", datetime.datetime.isoformat),
    (datetime.date, "date", datetime.date.isoformat),
    (datetime.time, "time", datetime.time.isoformat),
    (datetime.timedelta, "timedelta", _seconds),
    (decimal.Decimal, "decimal", str),
    (fractions.Fraction, "fraction", str),
    (complex, "complex", str),
    (uuid.UUID, "uuid", str),
    (pathlib.PurePath, "path", str),
]

_REVIVE: dict[str, Callable[[Any], Any]] = {
    "bytes": base64.b64decode,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": _from_seconds,
    "decimal": decimal.Decimal,
    "fraction": fractions.Fraction,
    "complex": complex,
    "uuid": uuid.UUID,
    "path": pathlib.PurePosixPath,
    "float": float,
    "int": lambda text: int(text, 0),
}
