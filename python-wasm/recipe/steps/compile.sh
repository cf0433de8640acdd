# How every C file is compiled.
# shellcheck shell=bash disable=SC2034 # other steps use these

# Not named "OPT": Python's configure reads a variable of that name.
read -ra FLAGS <<<"${PCM_PYTHON_CFLAGS:--O3 -flto -mbulk-memory -mnontrapping-fptoint}"

# WASI has no signals, process ids, CPU clocks or mmap; wasi-libc offers stand-ins on demand.
EMULATED=(-D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_GETPID -D_WASI_EMULATED_PROCESS_CLOCKS
  -D_WASI_EMULATED_MMAN)
EMULATED_LIBS=(-lwasi-emulated-signal -lwasi-emulated-getpid -lwasi-emulated-process-clocks
  -lwasi-emulated-mman)

# objects DIR FLAG...: compiles the C files named on stdin into DIR
objects() {
  local dir=$1; shift
  mkdir -p "$dir"
  # shellcheck disable=SC2016 # the inner shell expands these
  xargs -P "$JOBS" -I{} sh -c \
    'dir=$1 file=$2; shift 2; exec "$@" -c "$file" -o "$dir/$(basename "$file" .c).o"' _ "$dir" {} "$CC" "$@"
}
