"""Rich results: HTML, images and other forms of a value beside its text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pcm_guest.encoding import encode
from pcm_guest.port import DISPLAY, Port
from pcm_guest.tracebacks import safe_repr

_METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
}
_TEXT_LIMIT = 10_000
_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
"""What has no rich form for certain."""


def rich_forms(value: Any) -> dict[str, str]:
    """The MIME bundle of a value by IPython's conventions, each form as JSON text, without the
    plain text. Bytes are base64. Empty for a value that has no rich form."""
    kind = type(value)
    bundle: dict[str, str] = {}
    if kind in _PLAIN:
        return bundle
    whole = _form(kind, "_repr_mimebundle_", value)
    if isinstance(whole, tuple) and whole:
        whole = whole[0]
    if isinstance(whole, dict):
        for mime, form in whole.items():
            _add(bundle, mime, form)
    for name, mime in _METHODS.items():
        if mime not in bundle:
            _add(bundle, mime, _form(kind, name, value))
    return bundle


def _form(kind: type, name: str, value: Any) -> Any:
    """A rich form that fails is left out: the value is still shown as text."""
    try:
        method = getattr(kind, name, None)
        return None if method is None else method(value)
    except Exception:
        return None


def _add(bundle: dict[str, str], mime: Any, form: Any) -> None:
    if form is None or not isinstance(mime, str):
        return
    if isinstance(form, (bytes, bytearray)):
        form = base64.b64encode(form).decode()
    try:
        bundle[mime] = encode(form)[0]
    except Exception:
        return


class Display:
    """The builtin `display(*values)`, and what shows the rich forms of a run's value."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def __call__(self, *values: Any) -> None:
        for value in values:
            bundle = rich_forms(value)
            bundle.setdefault("text/plain", encode(safe_repr(value, _TEXT_LIMIT))[0])
            self._emit(bundle)

    def show_result(self, value: Any) -> None:
        """Emits the rich forms of a run's value, if it has any."""
        bundle = rich_forms(value)
        if bundle:
            self._emit(bundle)

    def show(self, forms: Mapping[str, Any]) -> None:
        """Emits the forms of something that a library shows by itself."""
        bundle: dict[str, str] = {}
        for mime, form in forms.items():
            _add(bundle, mime, form)
        self._emit(bundle)

    def _emit(self, bundle: dict[str, str]) -> None:
        forms = ",".join(f"{encode(mime)[0]}:{form}" for mime, form in bundle.items())
        self._port.emit(DISPLAY, f"{{{forms}}}".encode())

    def __repr__(self) -> str:
        return "<display(*values): shows values in their rich form>"
