"""Rich results: HTML, images and other forms of a value beside its text."""

from __future__ import annotations

import base64
import builtins
from typing import Any

from pcm_guest.encoding import to_frame
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


def rich_forms(value: Any) -> dict[str, Any]:
    """The MIME bundle of a value by IPython's conventions, without the plain text. Bytes are
    base64. Empty for a value that has no rich form."""
    kind = type(value)
    bundle: dict[str, Any] = {}
    whole = getattr(kind, "_repr_mimebundle_", None)
    if whole is not None:
        bundle.update(_mime_bundle(whole, value))
    for name, mime in _METHODS.items():
        method = getattr(kind, name, None)
        if method is not None and mime not in bundle:
            form = _call(method, value)
            if form is not None:
                bundle[mime] = _as_json(form)
    return bundle


def _mime_bundle(method: Any, value: Any) -> dict[str, Any]:
    result = _call(method, value)
    if isinstance(result, tuple) and result:
        result = result[0]
    if not isinstance(result, dict):
        return {}
    return {str(mime): _as_json(form) for mime, form in result.items() if form is not None}


def _call(method: Any, value: Any) -> Any:
    """A rich form that fails is left out: the value is still shown as text."""
    try:
        return method(value)
    except Exception:
        return None


def _as_json(form: Any) -> Any:
    if isinstance(form, (bytes, bytearray)):
        return base64.b64encode(form).decode()
    return form


class Display:
    """The builtin `display(*values)`, and what shows the rich forms of a run's value."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def install(self) -> None:
        """Makes `display` a builtin. Once per interpreter."""
        builtins.display = self  # type: ignore[attr-defined]

    def __call__(self, *values: Any) -> None:
        for value in values:
            bundle = rich_forms(value)
            bundle.setdefault("text/plain", safe_repr(value, _TEXT_LIMIT))
            self._emit(bundle)

    def show_result(self, value: Any) -> None:
        """Emits the rich forms of a run's value, if it has any."""
        bundle = rich_forms(value)
        if bundle:
            self._emit(bundle)

    def _emit(self, bundle: dict[str, Any]) -> None:
        self._port.emit(DISPLAY, to_frame(bundle))

    def __repr__(self) -> str:
        return "<display(*values): shows values in their rich form>"
