# Downloads everything and compares it with pins.txt: apt (or the user's files), cargo, pip.
# shellcheck shell=bash
#
# A file whose name is in the table must have that sum. Within a suite Debian replaces packages
# (security, point releases): one with a new name is taken on apt's signature check and named in the
# progress line; PCM_STRICT=1 refuses it. What must not change is listed with "pinned" below.

do_fetch() {
  BAD=()
  rm -rf "$DL"; mkdir -p "$DL/debs" "$DL/src" "$DL/tmp"
  : >"$DL/debs.sums"; : >"$DL/sources.sums"
  if [ -n "$WASI_SDK" ]; then fetch_sources_of_user; else fetch_from_debian; fi
  fetch_sqlite
  fetch_tzdata
  rm -rf "$DL/tmp"
  cat "$DL"/*.sums >"$DL/all.tmp"; mv "$DL/all.tmp" "$DL/all.sums"
  [ ${#BAD[@]} = 0 ] || die "$(printf '%s\n' "not as in pins.txt:" "${BAD[@]}")"
}

pin_of() { awk -v name="$1" '$2 == name { print $1 }' "$HERE/pins.txt"; }

# check FILE SUMS [pinned]: notes the sum in SUMS; all differences are reported together at the end
check() {
  local name sum pin
  name=$(basename "$1") sum=$(sha256sum "$1" | cut -d' ' -f1) pin=$(pin_of "$(basename "$1")")
  echo "$sum  $name" >>"$DL/$2"
  if [ "$sum" = "$pin" ]; then return; fi
  if [ -z "$pin" ] && [ "${3:-}" != pinned ] && [ "$STRICT" = 0 ]; then note "not pinned: $name"
  else BAD+=("$sum  $name (pin: ${pin:-none})"); fi
}

# ---- Debian -----------------------------------------------------------------------------------

fetch_from_debian() {
  local codename file
  codename=$(os_release VERSION_CODENAME)
  private_apt "$codename"
  mkdir "$DL/debs/clang" "$DL/debs/programs"
  (cd "$DL/debs" && apt-get -q download "${WASI_DEBS[@]/%//$SUITE}")
  (cd "$DL/debs/programs" && apt-get -q download "${PROGRAM_DEBS[@]/%//$SUITE}")
  (cd "$DL/debs/clang" && apt-get -q download "${CLANG_DEBS[@]/%//$codename}")
  (cd "$DL/src" && apt-get -q source --download-only "${SOURCE_PACKAGES[@]/%//$SUITE}" && rm -f ./*.dsc ./*.asc)
  for file in "$DL"/debs/*.deb "$DL"/debs/*/*.deb; do check "$file" debs.sums; done
  for file in "$DL"/src/*.debian.tar.*; do check "$file" sources.sums; done
  for file in "$DL"/src/*.orig.tar.*; do check "$file" sources.sums pinned; done
}

# the mirror that the machine's own apt uses
debian_mirror() {
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    awk -v suite="$1" '$2 == suite && $3 == "main" && !found { print $1; found = 1 }'
}

# apt with a state of its own: needs no root and changes nothing of the machine's.
# The suite's security archive is left out: a mirror may carry its index without its files. Security
# updates come with the point releases.
private_apt() {
  local codename=$1 suite mirror key=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=${PCM_DEBIAN_MIRROR:-$(debian_mirror "$codename")}
  [ -n "$mirror" ] || die "apt's configuration names no Debian mirror: set PCM_DEBIAN_MIRROR"
  [ -r "$key" ] || die "$key is missing: install debian-archive-keyring"
  mkdir -p "$APT/lists/partial" "$APT/archives/partial"; : >"$APT/status"
  for suite in $(printf '%s\n' "$SUITE" "$codename" | sort -u); do
    echo "deb [signed-by=$key] $mirror $suite main"
  done >"$APT/sources.list"
  echo "deb-src [signed-by=$key] $mirror $SUITE main" >>"$APT/sources.list"
  cat >"$APT/apt.conf" <<EOF_CONF
Dir::State "$APT"; Dir::State::status "$APT/status"; Dir::Cache "$APT";
Dir::Etc::SourceList "$APT/sources.list"; Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";
APT::Sandbox::User ""; Acquire::Retries "3"; Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Update::Post-Invoke ""; APT::Update::Post-Invoke-Success "";
EOF_CONF
  export APT_CONFIG=$APT/apt.conf
  apt-get -q update
}

# ---- other systems ----------------------------------------------------------------------------

# Debian's *.orig.tar.* of CPython, bzip2 and xz are upstream's own files (the sums are those that
# upstream's releases are known by); zlib's was repacked, so it is not upstream's zlib-1.3.1.tar.gz.
fetch_sources_of_user() {
  local package file orig=$DL/src/python${PY}_3.13.5.orig.tar.xz
  [ -n "$SOURCES" ] || die "PCM_WASI_SDK is set: set PCM_SOURCES too, see --help"
  for package in "${SOURCE_PACKAGES[@]}"; do
    for file in "$SOURCES/${package}"_*.orig.tar.* "$SOURCES/${package}"_*.debian.tar.*; do
      if [ -e "$file" ]; then cp "$file" "$DL/src"; fi
    done
  done
  case $CPYTHON_TARBALL in
    '') ;;
    *://*) curl -fsSL -o "$orig" "$CPYTHON_TARBALL" ;;
    *) cp "$CPYTHON_TARBALL" "$orig" ;;
  esac
  for package in "${SOURCE_PACKAGES[@]}"; do
    compgen -G "$DL/src/${package}_*.orig.tar.*" >/dev/null || die "no ${package}_*.orig.tar.* in $SOURCES"
  done
  for file in "$DL"/src/*; do check "$file" sources.sums pinned; done
}

# ---- SQLite and time zones --------------------------------------------------------------------

# SQLite's single C file out of a crate: Debian's source would need Tcl to make it.
fetch_sqlite() {
  mkdir "$DL/tmp/crate"; cd "$DL/tmp/crate"; : >lib.rs
  cat >Cargo.toml <<EOF_TOML
[package]
name = "fetch"
version = "0.0.0"
[lib]
path = "lib.rs"
[dependencies]
libsqlite3-sys = "=$SQLITE_CRATE"
[workspace]
EOF_TOML
  cargo vendor -q vendor >/dev/null
  cp vendor/libsqlite3-sys/sqlite3/sqlite3.[ch] "$DL/src"
  cd "$DL"
  check "$DL/src/sqlite3.c" sqlite.sums pinned
  check "$DL/src/sqlite3.h" sqlite.sums pinned
}

fetch_tzdata() {
  local wheel=tzdata-$TZDATA-py2.py3-none-any.whl
  python3 -m pip download -q --no-deps --only-binary :all: -d "$DL/src" "tzdata==$TZDATA"
  check "$DL/src/$wheel" tzdata.sums pinned
}
