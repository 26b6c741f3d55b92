#!/usr/bin/env bash
# Does what the README tells a newcomer, as one who may do nothing else: a user made for it without root rights, with a
# strict umask, with cargo told to build elsewhere, beside the quickstart of another user, at the lowest priority.
#
#   scripts/test-newcomer.sh quickstart    scripts/quickstart.sh alone
#   scripts/test-newcomer.sh               and scripts/test.sh with a few of the tests
#   scripts/test-newcomer.sh all           and scripts/test.sh with all of them
#
# Needs root to make the user, who is removed at the end; exits with 3 without.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

case ${1:-} in '' | quickstart | all) ;; *) die "usage: scripts/test-newcomer.sh [quickstart | all]" ;; esac
if [ "$(id -u)" != 0 ] || ! command -v useradd >/dev/null; then
    say "NOT RUN: the README as a newcomer, since only root can make a user"
    exit 3
fi
need_build_tools
bin=$(need_postgres)

user=hacs-newcomer-$$
place=$(mktemp -d /var/tmp/hacs-newcomer-XXXXXX)
chmod 0755 "$place"
leave() {
    local code=$?
    trap - EXIT
    if [ "$code" != 0 ]; then cat "$place/said" >&2 2>/dev/null || true; say "FAILED as $user"; fi
    if [ -d "$place/checkout" ]; then as_newcomer scripts/quickstart.sh stop >/dev/null 2>&1 || true; fi
    stop_cluster "$place/tmp/hacs-quickstart-another" immediate || true
    # Whatever of his still runs, where this was interrupted.
    pkill -KILL -u "$user" || true
    userdel "$user" 2>/dev/null || true
    rm -rf "$place"
    exit "$code"
}
trap leave EXIT

mkdir "$place/home" "$place/cargo" "$place/checkout" "$place/tmp"
chmod 1777 "$place/tmp"
useradd --no-create-home --home-dir "$place/home" --shell /bin/bash "$user"
chown "$user" "$place/home" "$place/cargo" "$place/checkout"

# Rust as it is here, where the user reaches it; else a copy, whose files are those of the original where that can be.
rust=$(rustc --print sysroot)
if ! runuser -u "$user" -- test -x "$rust/bin/cargo"; then
    cp -al "$rust" "$place/rust" 2>/dev/null || { rm -rf "$place/rust" && cp -a "$rust" "$place/rust"; }
    rust=$place/rust
fi
# And the crates that are here already, so that nothing is fetched twice.
offline=false
if [ -d "${CARGO_HOME:-$HOME/.cargo}/registry/cache" ]; then
    offline=true
    mkdir "$place/cargo/registry"
    cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/{index,cache} "$place/cargo/registry/"
    chown -R "$user" "$place/cargo"
fi

as_newcomer() {
    # shellcheck disable=SC2016 # for the inner shell
    runuser -u "$user" -- env -i HOME="$place/home" TMPDIR="$place/tmp" CARGO_HOME="$place/cargo" LANG=C.UTF-8 \
        PATH="$rust/bin:/usr/local/bin:/usr/bin:/bin" CARGO_TARGET_DIR="$place/home/built elsewhere" \
        CARGO_NET_OFFLINE="$offline" nice -n 19 bash -c 'umask 077 && cd "$0" && exec "$@"' "$place/checkout" "$@"
}
# What git would give him, with the changes that are here.
git ls-files -z | tar --null --files-from - --create --ignore-failed-read 2>/dev/null | as_newcomer tar --extract --no-same-permissions

check() { local title=$1; shift; "$@" || die "$title"; printf 'ok  %s\n' "$title"; }
is() { [ "$1" = "$2" ] || { say "found: $1"; return 1; }; }

start_cluster "$place/tmp/hacs-quickstart-another" >/dev/null
theirs() { as_server "$bin/psql" -X -q -A -t -h "$place/tmp/hacs-quickstart-another" -U hacs -d postgres -c 'select 1'; }

started=$SECONDS
check "quickstart ends well" as_newcomer scripts/quickstart.sh >"$place/said" 2>&1
cat "$place/said" >&2
mine=$(find "$place/tmp" -maxdepth 1 -name 'hacs-quickstart-*' -user "$user")
check "it made one cluster, which nobody else can enter" is "$(stat -c %a "$mine")" 700
connect=$(sed -n 's/^Connect: *//p' "$place/said")
# shellcheck disable=SC2086 # the words of a command
check "what it prints connects" is "$(as_newcomer $connect -X -A -t -c 'select count(*) > 7 from hacs_admin.migrations')" t
check "it built where cargo was told to" is "$(ls -d "$place/checkout/target" 2>/dev/null)" ''
check "the other's server still answers" is "$(theirs)" 1
check "stop ends well" as_newcomer scripts/quickstart.sh stop
check "and leaves nothing of his" is "$(find "$place/tmp" -mindepth 1 -maxdepth 1 -user "$user")" ''
check "but the other's server" is "$(theirs)" 1
say "quickstart in $((SECONDS - started)) s"

[ "${1:-}" != quickstart ] || exit 0
if [ "${1:-}" = all ]; then filter=; else filter='quickstart:: status:: migrating:: private:: scripts::'; fi
started=$SECONDS
: >"$place/said"
check "test.sh ends well" as_newcomer env HACS_TEST_FILTER="$filter" scripts/test.sh
say "test.sh in $((SECONDS - started)) s"
