# Compiler, archiver, build Python and wasm-opt, each behind a wrapper in $TOOLS/bin.
# shellcheck shell=bash

do_toolchain() {
  rm -rf "$TOOLS"; mkdir -p "$TOOLS/bin" "$TOOLS/path"
  if [ -n "$WASI_SDK" ]; then sdk_compiler; programs_of_machine
  else debian_compiler; debian_programs; fi
  chmod +x "$TOOLS"/bin/*
  try_toolchain
}

# wrap NAME PROGRAM [ENVIRONMENT [ARGUMENT...]]
wrap() {
  local name=$1 program=$2 environment=${3:-}; shift $(($# < 3 ? $# : 3))
  { echo '#!/bin/sh'
    [ -z "$environment" ] || echo "export $environment"
    printf 'exec'; printf ' "%s"' "$program" "$@"; echo ' "$@"'; } >"$TOOLS/bin/$name"
}

# wrap_clang CLANG ENVIRONMENT ARGUMENT...
# PATH holds nothing but the linker: clang runs any wasm-opt that it finds there when it links.
wrap_clang() {
  local clang=$1 environment=$2; shift 2
  wrap wasm32-cc "$clang" "PATH=\"$TOOLS/path\" $environment" --target=wasm32-wasip1 \
    -ffile-prefix-map="$CACHE=/build" "$@"
}

# ---- clang from Debian ------------------------------------------------------------------------

debian_compiler() {
  local root=$TOOLS/clang wasi=$TOOLS/wasi bin path deb tool
  dpkg -x "$(echo "$DL"/debs/wasi-libc_*.deb)" "$wasi"
  for deb in "$DL"/debs/clang/*.deb; do dpkg -x "$deb" "$root"; done
  bin=$root/usr/lib/llvm-$CLANG/bin
  path=$(echo "$root"/usr/lib/*-linux-gnu):$root/usr/lib/llvm-$CLANG/lib
  add_missing_libs "$root" "$bin" "$path"
  builtins_folder "$root/usr/lib/llvm-$CLANG/lib/clang/$CLANG"
  ln -s "$bin/wasm-ld" "$TOOLS/path/wasm-ld-$CLANG"
  # Debian's clang does not look into include/wasm32-wasi of a sysroot
  wrap_clang "$bin/clang" "LD_LIBRARY_PATH=$path" --sysroot="$wasi/usr" \
    -resource-dir "$TOOLS/resource" -isystem "$wasi/usr/include/wasm32-wasi"
  for tool in llvm-ar llvm-ranlib llvm-readelf; do wrap $tool "$bin/$tool" "LD_LIBRARY_PATH=$path"; done
}

# Debian has the compiler's builtins in lib/wasi, where clang does not look for them.
builtins_folder() {
  local own=$TOOLS/resource
  mkdir -p "$own/lib/wasm32-unknown-wasip1"
  ln -s "$1/include" "$own/include"
  ln -s "$1/lib/wasi/libclang_rt.builtins-wasm32.a" "$own/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a"
}

# Libraries of clang that a small machine may lack, and then theirs.
add_missing_libs() {
  local root=$1 bin=$2 path=$3 codename lib
  codename=$(os_release VERSION_CODENAME)
  export APT_CONFIG=$APT/apt.conf
  mkdir "$TOOLS/debs"; cd "$TOOLS/debs"
  for _ in 1 2 3; do
    for lib in $(LD_LIBRARY_PATH=$path ldd "$bin"/{clang,wasm-ld,llvm-ar} | awk '/not found/ { print $1 }' | sort -u); do
      apt-get -q download "$(package_of "$lib")/$codename"
    done
    for lib in ./*.deb; do [ ! -e "$lib" ] || dpkg -x "$lib" "$root"; done
  done
}

package_of() {
  case $1 in
    libedit.so.2) echo libedit2 ;; libbsd.so.0) echo libbsd0 ;; libxml2.so.2) echo libxml2 ;;
    libicuuc.so.* | libicudata.so.*) echo "libicu${1##*.}" ;; libz3.so.4) echo libz3-4 ;;
    libffi.so.8) echo libffi8 ;; libtinfo.so.6) echo libtinfo6 ;; libzstd.so.1) echo libzstd1 ;;
    liblzma.so.5) echo liblzma5 ;; libz.so.1) echo zlib1g ;; libstdc++.so.6) echo libstdc++6 ;;
    libgcc_s.so.1) echo libgcc-s1 ;; *) die "clang needs $1" ;;
  esac
}

# The programs of $SUITE want its C library, which may be newer than the machine's, so that library's
# own loader starts them. --library-path, because LD_LIBRARY_PATH would reach the machine's programs.
debian_programs() {
  local root=$TOOLS/programs deb loader program
  for deb in "$DL"/debs/programs/*.deb; do dpkg -x "$deb" "$root"; done
  loader=$(echo "$root"/usr/lib/*-linux-gnu*/ld-linux-*.so.*)
  for program in "python$PY" wasm-opt; do
    wrap "$program" "$loader" '' --library-path "$(dirname "$loader")" "$root/usr/bin/$program"
  done
  if [ -n "$BUILD_PYTHON" ]; then wrap "python$PY" "$BUILD_PYTHON"; fi
}

# ---- wasi-sdk ---------------------------------------------------------------------------------

sdk_compiler() {
  local tool
  if ! [[ -x $WASI_SDK/bin/clang && -d $WASI_SDK/share/wasi-sysroot ]]; then
    die "$WASI_SDK is no wasi-sdk (bin/clang, share/wasi-sysroot)"
  fi
  wrap_clang "$WASI_SDK/bin/clang" '' --sysroot="$WASI_SDK/share/wasi-sysroot"
  for tool in llvm-ar llvm-ranlib; do wrap $tool "$WASI_SDK/bin/$tool"; done
  # configure insists on a readelf, the build does not use it
  wrap llvm-readelf "$(command -v true)"
}

programs_of_machine() {
  local python=${BUILD_PYTHON:-$(command -v "python$PY" || true)} opt
  [ -n "$python" ] || die "no python$PY in PATH: set PCM_BUILD_PYTHON"
  wrap "python$PY" "$python"
  [ "$USE_WASM_OPT" = 1 ] || return 0
  opt=$(command -v wasm-opt) || die "no wasm-opt (binaryen) in PATH; PCM_WASM_OPT=0 does without"
  wrap wasm-opt "$opt"
}

# -----------------------------------------------------------------------------------------------

try_toolchain() {
  local clang python opt='no wasm-opt'
  # configure --with-build-python accepts this series only, and the byte code must be the guest's
  "$PYTHON" -c "import sys; assert sys.version_info[:2] == (${PY/./, }), sys.version"
  cd "$TOOLS"
  echo 'int main(void) { return 0; }' >t.c; "$CC" "${FLAGS[@]}" t.c -o t.wasm; rm t.c t.wasm
  clang=$("$CC" --version | sed -n '1s/.*clang version/clang/p') python=$("$PYTHON" -V)
  [ ! -e "$TOOLS/bin/wasm-opt" ] || opt=$("$TOOLS/bin/wasm-opt" --version)
  printf '%s\n' "$clang" "build $python" "$opt" >"$TOOLS/VERSIONS"
  note "$clang, $python, $opt"
}
