# SQLite for one process, the session: no file locks, no write-ahead log (it wants shared memory), no
# threads.
# shellcheck shell=bash

do_sqlite() {
  rm -rf "$SQLITE"; mkdir -p "$SQLITE/lib" "$SQLITE/include"
  cd "$DL/src"
  echo sqlite3.c | objects "$SQLITE/objects" "${FLAGS[@]}" "${EMULATED[@]}" -DSQLITE_OMIT_WAL \
    -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS \
    '-DSQLITE_DEFAULT_UNIX_VFS="unix-none"'
  "$AR" rcs "$SQLITE/lib/libsqlite3.a" "$SQLITE/objects/sqlite3.o"
  cp sqlite3.h "$SQLITE/include"
}
