# Versions, folders and what the user may set. Every other file reads these names.
# shellcheck shell=bash disable=SC2034 # they are used in the files that come after this one

PY=3.13
SUITE=trixie # a released suite of Debian by its name: "stable" would move to the next one
CLANG=19
SQLITE_CRATE=0.39.1
TZDATA=2026.6

CLANG_DEBS=("clang-$CLANG" "libclang-common-$CLANG-dev" "libclang-cpp$CLANG" "libclang1-$CLANG"
  "libllvm$CLANG" "lld-$CLANG" "llvm-$CLANG" "libclang-rt-$CLANG-dev-wasm32") # of the machine's suite
WASI_DEBS=(wasi-libc)                                                        # of $SUITE, as all that follow
PROGRAM_DEBS=("python$PY-minimal" "libpython$PY-minimal" binaryen
  libc6 libstdc++6 libgcc-s1 libexpat1 zlib1g)
SOURCE_PACKAGES=("python$PY" zlib bzip2 xz-utils)

JOBS=${PCM_JOBS:-$(nproc)}
USE_WASM_OPT=${PCM_WASM_OPT:-1}
STRICT=${PCM_STRICT:-0}
WASI_SDK=${PCM_WASI_SDK:-}
SOURCES=${PCM_SOURCES:-}
CPYTHON_TARBALL=${PCM_CPYTHON_TARBALL:-}
BUILD_PYTHON=${PCM_BUILD_PYTHON:-}
SETTINGS=("$PY" "$SUITE" "$SQLITE_CRATE" "$TZDATA" "${CLANG_DEBS[@]}" "${WASI_DEBS[@]}"
  "${PROGRAM_DEBS[@]}" "${SOURCE_PACKAGES[@]}" "sdk:$WASI_SDK" "$SOURCES" "$CPYTHON_TARBALL" "$STRICT")

GLUE=$(dirname "$HERE")/glue
CACHE=${PCM_PYTHON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pcm-sandbox/python-wasm}
CACHE=$(realpath -m "$CACHE")
APT=$CACHE/apt DL=$CACHE/download TOOLS=$CACHE/tools SRC=$CACHE/src LIBS=$CACHE/libs
SQLITE=$CACHE/sqlite BUILD=$CACHE/build STDLIB=$CACHE/stdlib REACTOR=$CACHE/reactor
WASMOPT=$CACHE/wasmopt OUT=$CACHE/out STAMPS=$CACHE/stamps LOGS=$CACHE/logs

CC=$TOOLS/bin/wasm32-cc AR=$TOOLS/bin/llvm-ar RANLIB=$TOOLS/bin/llvm-ranlib
PYTHON=$TOOLS/bin/python$PY

os_release() { sed -n "s/^$1=\"\\{0,1\\}\\([^\"]*\\).*/\\1/p" /etc/os-release; }
