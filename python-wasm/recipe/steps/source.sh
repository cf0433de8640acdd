# Unpacks the sources and applies Debian's security patches.
# shellcheck shell=bash

do_source() {
  local package
  rm -rf "$SRC"; mkdir -p "$SRC"; : >"$SRC/PATCHES"
  for package in "${SOURCE_PACKAGES[@]}"; do
    mkdir "$SRC/$package"
    tar -C "$SRC/$package" --strip-components=1 -xf "$(echo "$DL/src/${package}"_*.orig.tar.*)"
  done
  # CVEs, and the crash fixes that Debian took from upstream's branch
  apply_patches "python$PY" '^(CVE-|gh-|dict-use-after-free|traverse-managed-dicts|ssl-)'
  apply_patches zlib '^CVE-'
  apply_patches bzip2 '^CVE-'
  apply_patches xz-utils '^(CVE-|0001-liblzma-)'
}

# apply_patches PACKAGE REGEX: those of Debian's patches whose names match, in Debian's order
apply_patches() {
  local package=$1 regex=$2 archive folder=$SRC/debian-$1 patch n=0
  archive=$(compgen -G "$DL/src/${package}_*.debian.tar.*") || { note "$package: NO SECURITY PATCHES"; return; }
  mkdir "$folder"; tar -C "$folder" -xf "$archive"
  cd "$SRC/$package"
  while read -r patch _; do
    if ! [[ $patch =~ $regex ]]; then continue; fi
    if patch -p1 -s -f --dry-run <"$folder/debian/patches/$patch" >/dev/null; then
      patch -p1 -s -f <"$folder/debian/patches/$patch"
      echo "$package $patch" >>"$SRC/PATCHES"; n=$((n + 1))
    elif [ "$STRICT" = 1 ]; then die "$patch of $package does not apply"
    else
      note "$package: $patch DOES NOT APPLY"
      echo "$package $patch not applied" >>"$SRC/PATCHES"
    fi
  done <"$folder/debian/patches/series"
  note "$package: $n patches"
}
