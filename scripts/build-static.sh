#!/usr/bin/env bash
# Builds the program with OpenSSL inside, as the releases for Linux have it: it needs nothing but the C library where it
# runs, and starts sooner. In return, it has the fixes of OpenSSL only when it is built anew.
#
#   scripts/build-static.sh [options of cargo]      prints where the program is: below static in the directory of cargo
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
linked=()
# Elsewhere, the system's own library for TLS is used.
if [ "$(uname -s)" = Linux ]; then
    OPENSSL_STATIC=1
    OPENSSL_LIB_DIR=$(pkg-config --variable=libdir libssl)
    OPENSSL_INCLUDE_DIR=$(pkg-config --variable=includedir libssl)
    [ -f "$OPENSSL_LIB_DIR/libssl.a" ] ||
        die "libssl.a is missing in $OPENSSL_LIB_DIR: Debian has it in libssl-dev, Fedora in openssl-static"
    export OPENSSL_STATIC OPENSSL_LIB_DIR OPENSSL_INCLUDE_DIR
    # And libgcc, which minimal images do not have either.
    linked=(-L "native=$(dirname "$(cc -print-file-name=libgcc_eh.a)")" -l static=gcc_eh)
fi
# The program tells nothing of the machine that built it: neither whose it was nor where its files lay.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/hacs-refinery"
RUSTFLAGS+=" --remap-path-prefix=$(target_dir)=/target --remap-path-prefix=$(rustc --print sysroot)=/rust"
said=$(cargo rustc --release --locked --quiet --bin hacs-refinery --message-format=json-render-diagnostics \
    --target-dir "$(target_dir)/static" "$@" -- "${linked[@]}")
program=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$said" | tail -n 1)
[ -x "$program" ] || die "cargo built no program"
printf '%s\n' "$program"
