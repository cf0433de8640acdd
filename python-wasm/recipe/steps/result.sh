# Puts $OUT together, with a MANIFEST of what it was made from.
# shellcheck shell=bash

do_result() {
  local new=$OUT.new
  rm -rf "$new"; mkdir -p "$new/lib/encodings"
  cp "$WASMOPT/python.wasm" "$STDLIB/stdlib.bin" "$new"
  # the modules that Python imports while it starts, before anything could read stdlib.bin
  cp "$SRC/python$PY"/Lib/encodings/*.py "$new/lib/encodings"
  manifest "$new" >"$CACHE/manifest.tmp"; mv "$CACHE/manifest.tmp" "$new/MANIFEST"
  rm -rf "$OUT"; mv "$new" "$OUT"
}

manifest() {
  echo '# outputs'
  (cd "$1" && find . -type f -printf '%P\n' | sort | xargs sha256sum)
  echo '# inputs: downloads'
  sort -k2 "$DL/all.sums"
  echo '# inputs: this repository'
  (cd "$(dirname "$HERE")" && sha256sum glue/*.[ch] recipe/pack_stdlib.py)
  echo '# tools'
  cat "$TOOLS/VERSIONS"
  echo '# options'
  echo "flags ${FLAGS[*]}"
  echo "wasm-opt $USE_WASM_OPT"
  echo '# patches'
  cat "$SRC/PATCHES"
}
