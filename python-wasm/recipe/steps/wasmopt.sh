# binaryen's optimizer over the linked module.
# shellcheck shell=bash

# the proposals that clang's default target and FLAGS use; wasm-opt must be told
WASM_FEATURES=(--enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext
  --enable-mutable-globals --enable-multivalue --enable-reference-types)

do_wasmopt() {
  rm -rf "$WASMOPT"; mkdir -p "$WASMOPT"
  if [ "$USE_WASM_OPT" = 1 ]; then
    "$TOOLS/bin/wasm-opt" -O3 "${WASM_FEATURES[@]}" "$REACTOR/python.wasm" -o "$WASMOPT/python.wasm"
  else cp "$REACTOR/python.wasm" "$WASMOPT"; note "left out"; fi
  note "$(stat -c %s "$WASMOPT/python.wasm") bytes"
}
