# The standard library and the time zones in one file.
# shellcheck shell=bash

do_stdlib() {
  rm -rf "$STDLIB"; mkdir -p "$STDLIB"
  # the machine's Python: Debian's minimal one cannot import zipfile
  python3 -m zipfile -e "$DL/src/tzdata-$TZDATA-py2.py3-none-any.whl" "$STDLIB/wheel"
  # -I: nothing from the environment, -B: no byte code files in the source
  note "$("$PYTHON" -I -B -X no_debug_ranges "$HERE/pack_stdlib.py" "$STDLIB/stdlib.bin" "$SRC/python$PY/Lib" \
    "$(echo "$BUILD/$(cat "$BUILD/pybuilddir.txt")"/_sysconfigdata_*.py)" "$STDLIB/wheel/tzdata")"
}
