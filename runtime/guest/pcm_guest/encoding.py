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

Anything else has no encoding: as a result it is shown by its repr, as an argument it is refused.
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
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 100
_MAX_DECIMAL_BITS = 13_000  # about 3900 digits; Python refuses more than 4300

Types = dict[str, str]


class EncodingError(TypeError):
    """A value has no encoding."""


def encode(value: Any) -> tuple[str, Types]:
    """The JSON text of `value` and the types beside it."""
    try:
        text = _to_json(value)
        if _LONG_NUMBER.search(text) is None and not _is_deep(value):
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


def to_frame(value: dict[str, Any]) -> bytes:
    """JSON bytes of a frame's own fields, whatever characters user code put into them."""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")


_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# The fast way cannot see integers beyond 64 bits, so anything that might be one goes the slow way.
_LONG_NUMBER = re.compile(r"[0-9]{19}")


def _is_deep(value: Any) -> bool:
    """Whether containers are nested deeper than the host accepts. Goes level by level."""
    level = [value]
    for _ in range(MAX_DEPTH):
        containers = [item for item in level if isinstance(item, (list, tuple, dict))]
        if not containers:
            return False
        level = [
            item
            for container in containers
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return True


def _plain(value: Any, types: Types, path: list[str]) -> Any:
    """The slow way: rebuilds `value` out of what JSON has, and notes the types."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, types, path)
    if isinstance(value, str):
        return _without_surrogates(str(value))
    if isinstance(value, int):
        return _plain_int(int(value), types, path)
    if isinstance(value, float):
        return _plain_float(float(value), types, path)
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
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist(), types, path)
    raise EncodingError(f"{type(value).__name__} has no encoding")


def _plain_dict(value: dict[Any, Any], types: Types, path: list[str]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = _key_text(key)
        if name in plain:
            raise EncodingError(f"two keys of a dict are both {name!r} in JSON")
        plain[name] = _plain(item, types, [*path, name])
    return plain


def _key_text(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return _without_surrogates(str(key))
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key)
    raise EncodingError(f"a dict key of type {type(key).__name__} has no encoding")


def _plain_int(value: int, types: Types, path: list[str]) -> int | str:
    if -(2**63) <= value < 2**64:
        return value
    types[_pointer(path)] = "int"
    return str(value) if value.bit_length() < _MAX_DECIMAL_BITS else hex(value)


def _plain_float(value: float, types: Types, path: list[str]) -> float | str:
    if math.isfinite(value):
        return value
    types[_pointer(path)] = "float"
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _without_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pointer(path: list[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _key(place: Any, part: str) -> Any:
    return int(part) if isinstance(place, list) else part


# In this order: a datetime is also a date.
_SCALARS: list[tuple[type | tuple[type, ...], str, Callable[[Any], str]]] = [
    ((bytes, bytearray, memoryview), "bytes", lambda value: base64.b64encode(value).decode()),
    (datetime.datetime, "datetime", datetime.datetime.isoformat),
    (datetime.date, "date", datetime.date.isoformat),
    (datetime.time, "time", datetime.time.isoformat),
    (datetime.timedelta, "timedelta", lambda value: _seconds(value)),
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
    "timedelta": lambda text: _from_seconds(text),
    "decimal": decimal.Decimal,
    "fraction": fractions.Fraction,
    "complex": complex,
    "uuid": uuid.UUID,
    "path": pathlib.PurePosixPath,
    "float": float,
    "int": lambda text: int(text, 0),
}


def _seconds(value: datetime.timedelta) -> str:
    return str(decimal.Decimal(value // datetime.timedelta(microseconds=1)).scaleb(-6))


def _from_seconds(text: str) -> datetime.timedelta:
    return datetime.timedelta(microseconds=int(decimal.Decimal(text).scaleb(6)))
