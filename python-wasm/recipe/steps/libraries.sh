# zlib, bzip2 and liblzma from their C files: their configure scripts would take longer than clang.
# shellcheck shell=bash

do_libraries() {
  local lib
  rm -rf "$LIBS"; mkdir -p "$LIBS/include" "$LIBS/lib"
  compile_zlib
  compile_bzip2
  compile_lzma
  for lib in z bz2 lzma; do "$AR" rcs "$LIBS/lib/lib$lib.a" "$LIBS/objects/$lib"/*.o; done
}

compile_zlib() {
  cd "$SRC/zlib"
  printf '%s.c\n' adler32 crc32 deflate infback inffast inflate inftrees trees zutil compress uncompr |
    objects "$LIBS/objects/z" "${FLAGS[@]}" -DHAVE_UNISTD_H
  cp zlib.h zconf.h "$LIBS/include"
}

compile_bzip2() {
  cd "$SRC/bzip2"
  printf '%s.c\n' blocksort huffman crctable randtable compress decompress bzlib |
    objects "$LIBS/objects/bz2" "${FLAGS[@]}" -D_FILE_OFFSET_BITS=64
  cp bzlib.h "$LIBS/include"
}

# what xz's configure would have defined, without threads
compile_lzma() {
  local name define=(-DNDEBUG -DASSUME_RAM=32 -DHAVE_VISIBILITY=0 -DTUKLIB_SYMBOL_PREFIX=lzma_) include=()
  for name in LZMA1 LZMA2 DELTA X86 ARM ARM64 ARMTHUMB POWERPC IA64 SPARC RISCV; do
    define+=("-DHAVE_ENCODER_$name" "-DHAVE_DECODER_$name")
  done
  for name in MF_HC3 MF_HC4 MF_BT2 MF_BT3 MF_BT4 CHECK_CRC32 CHECK_CRC64 CHECK_SHA256 ENCODERS DECODERS \
    LZIP_DECODER STDBOOL_H _BOOL STDINT_H INTTYPES_H __BUILTIN_BSWAPXX __BUILTIN_ASSUME_ALIGNED; do
    define+=("-DHAVE_$name")
  done
  for name in common check lz rangecoder lzma delta simple; do include+=("-Isrc/liblzma/$name"); done
  cd "$SRC/xz-utils"
  printf '%s\n' src/liblzma/{common,check,lz,lzma,rangecoder,delta,simple}/*.c |
    grep -vE 'tablegen|_small|_mt|consts_gen|cputhreads' |
    objects "$LIBS/objects/lzma" -std=gnu99 "${FLAGS[@]}" "${define[@]}" -Isrc/common -Isrc/liblzma/api "${include[@]}"
  cp -r src/liblzma/api/lzma* "$LIBS/include"
}
