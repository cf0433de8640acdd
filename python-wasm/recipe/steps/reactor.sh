# The module that the host runs: Python, its SQLite module and what ../glue exports.
# shellcheck shell=bash

SQLITE_MODULE=(blob connection cursor microprotocols module prepare_protocol row statement util)

do_reactor() {
  local python=$SRC/python$PY flags
  flags=("${FLAGS[@]}" -DNDEBUG -fno-strict-overflow -std=c11 "${EMULATED[@]}" "-I$python/Include"
    "-I$python/Include/internal" "-I$BUILD" "-I$SQLITE/include")
  rm -rf "$REACTOR"; mkdir -p "$REACTOR"
  # names without a folder: the result does not depend on where the files are
  cd "$python/Modules/_sqlite"
  printf '%s.c\n' "${SQLITE_MODULE[@]}" |
    objects "$REACTOR/sqlite" "${flags[@]}" -DPy_BUILD_CORE_MODULE
  cd "$GLUE"
  printf '%s\n' *.c | objects "$REACTOR/glue" "${flags[@]}" -Wall
  link_reactor
  note "$(stat -c %s "$REACTOR/python.wasm") bytes"
}

# --stack-first: a stack that overflows traps instead of reaching Python's data.
# __stack_pointer is exported so that the host can put it back after a trap.
link_reactor() {
  cd "$BUILD"
  "$CC" "${FLAGS[@]}" -mexec-model=reactor -z stack-size=$((8 << 20)) -Wl,--stack-first \
    -Wl,--initial-memory=$((32 << 20)) -Wl,--export=__stack_pointer -Wl,--strip-debug \
    -o "$REACTOR/python.wasm" "$REACTOR"/glue/*.o "$REACTOR"/sqlite/*.o "libpython$PY.a" "${MODULE_LIBS[@]}" \
    "$SQLITE/lib/libsqlite3.a" "$LIBS"/lib/lib{z,bz2,lzma}.a "${EMULATED_LIBS[@]}" -lm -ldl
}
