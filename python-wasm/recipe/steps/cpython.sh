# CPython as a static library.
# shellcheck shell=bash

# besides libpython, what Python's own modules are linked with
MODULE_LIBS=(Modules/_decimal/libmpdec/libmpdec.a Modules/_hacl/libHacl_Hash_SHA2.a Modules/expat/libexpat.a)

# Python's configure and make read all of these from the environment; the user's are not meant for it.
python_env() {
  unset OPT BASECFLAGS CPPFLAGS CXXFLAGS EXTRA_CFLAGS MAKEFLAGS PYTHONPATH PYTHONHOME
  export CC AR RANLIB CPP="$CC -E" READELF=$TOOLS/bin/llvm-readelf PKG_CONFIG_LIBDIR=/nonexistent
  export CONFIG_SITE=$SRC/python$PY/Tools/wasm/config.site-wasm32-wasi CFLAGS="${FLAGS[*]} -g0" LDFLAGS=
  export ZLIB_CFLAGS=-I$LIBS/include ZLIB_LIBS="-L$LIBS/lib -lz"
  export BZIP2_CFLAGS=-I$LIBS/include BZIP2_LIBS="-L$LIBS/lib -lbz2"
  export LIBLZMA_CFLAGS=-I$LIBS/include LIBLZMA_LIBS="-L$LIBS/lib -llzma"
  export SOURCE_DATE_EPOCH=1700000000
}

do_configure() {
  rm -rf "$BUILD"; mkdir -p "$BUILD"; cd "$BUILD"
  python_env
  # a relative path: what is compiled then does not depend on where the cache is
  # pymalloc (off by default for WASI) keeps a session's objects on pages of their own; without mmap,
  # which is emulated and would clear every arena, it takes them from malloc
  "../src/python$PY/configure" --host=wasm32-wasip1 --build="$(uname -m)-linux-gnu" \
    --with-build-python="$PYTHON" --with-suffix=.wasm --with-pymalloc --disable-test-modules \
    --with-ensurepip=no ac_cv_func_mmap=no
  if grep -q '#define Py_DEBUG' pyconfig.h; then die "configure made a debug build"; fi
}

# The library only: the command python.wasm is not needed. An interrupted make goes on where it was.
do_make() {
  cd "$BUILD"
  python_env
  make -j"$JOBS" "libpython$PY.a" "${MODULE_LIBS[@]}" pybuilddir.txt
  if grep -qE '_(test|xx|ctypes_test)' Modules/config.c; then die "Modules/config.c has test modules"; fi
  note "$(grep -c PyInit_ Modules/config.c) lines of built-in modules, $(stat -c %s "libpython$PY.a") bytes"
}
