"""Records: what the namespaces return."""

from __future__ import annotations

from typing import Any


class Record(dict[str, Any]):
    """A dict whose keys can also be read as attributes: `x["name"]` and `x.name`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no field {name!r}; there are: {', '.join(self)}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"Record({dict.__repr__(self)})"


def as_records(value: Any) -> Any:
    """Turns every dict of a listing into a record."""
    if isinstance(value, dict):
        return Record({key: as_records(item) for key, item in value.items()})
    if isinstance(value, list):
        return [as_records(item) for item in value]
    return value


def workflow_records(value: Any) -> Any:
    """Like `as_records`, with both spellings of the parameters.

    `parameters` is the list that the host sends; `params` maps each name to what is known of it.
    """
    if isinstance(value, list):
        return [workflow_records(item) for item in value]
    if not isinstance(value, dict):
        return value
    record = as_records(value)
    parameters = record.setdefault("parameters", [])
    if isinstance(parameters, list):
        record["params"] = {
            item["name"]: item.get("description") or item.get("type", "string")
            for item in parameters
            if isinstance(item, dict) and "name" in item
        }
    return record
