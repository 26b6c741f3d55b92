#!/usr/bin/env bash
# Runs both commands of the README as a newcomer would: a user made for this, without root rights, with umask 077, with cargo
# told to build elsewhere (CARGO_TARGET_DIR), beside the quickstart of another user, at the lowest priority. Once everything
# is built, each core is busy with something else.
#
#   scripts/test-newcomer.sh quickstart    scripts/quickstart.sh alone
#   scripts/test-newcomer.sh               and scripts/test.sh, with the tests for which user, umask or load make a difference
#   scripts/test-newcomer.sh all           and scripts/test.sh with all tests
#
# The tests that make a difference start servers and scripts as this user, or have to end within a given time. The others
# run once, as whoever runs .ci/run. Needs root to make the user, who is removed at the end; exits with 3 without.
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
# What keeps the cores busy.
busy=()
leave() {
    local code=$?
    trap - EXIT
    if [ "$code" != 0 ]; then cat "$place/said" >&2 2>/dev/null || true; say "FAILED as $user"; fi
    if [ -d "$place/checkout" ]; then as_newcomer scripts/quickstart.sh stop >/dev/null 2>&1 || true; fi
    if [ "${#busy[@]}" != 0 ]; then kill "${busy[@]}" 2>/dev/null || true; fi
    stop_cluster "$place/tmp/hacs-quickstart-another" immediate || true
    # Whatever of his still runs, where this was interrupted: a user is not removed before his last process has ended.
    for _ in $(seq 100); do pkill -KILL -u "$user" || break; sleep 0.1; done
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

# And the tools that are here.
if [ -d "$cache" ]; then
    mkdir "$place/home/.cache"
    cp -r "$cache" "$place/home/.cache/hacs-refinery"
    chown -R "$user" "$place/home/.cache"
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

# As busy as the newcomer is nice: he gets about half of the machine.
load_each_core() {
    local core
    for core in $(seq "$(getconf _NPROCESSORS_ONLN)"); do
        nice -n 19 bash -c "while :; do :; done # core $core" &
        busy+=($!)
    done
}
mine() { find "$place/tmp" -mindepth 1 -maxdepth 1 -user "$user"; }

started=$SECONDS
check "quickstart ends well" as_newcomer scripts/quickstart.sh >"$place/said" 2>&1
cat "$place/said" >&2
cluster=$(mine)
check "it made one cluster, which nobody else can enter" is "$(stat -c %a "$cluster")" 700
connect=$(sed -n 's/^Connect: *//p' "$place/said")
# shellcheck disable=SC2086 # the words of a command
check "what it prints connects" is "$(as_newcomer $connect -X -A -t -c 'select count(*) > 7 from hacs_admin.migrations')" t
check "it built where cargo was told to" is "$(ls -d "$place/checkout/target" 2>/dev/null)" ''
check "the other's server still answers" is "$(theirs)" 1
load_each_core
check "a second time, on a busy machine, it ends well too" as_newcomer scripts/quickstart.sh >"$place/said" 2>&1
check "with the same cluster" is "$(mine)" "$cluster"
check "stop ends well" as_newcomer scripts/quickstart.sh stop
check "and leaves nothing of his" is "$(mine)" ''
check "but the other's server" is "$(theirs)" 1
kill "${busy[@]}"
busy=()
say "quickstart in $((SECONDS - started)) s"

[ "${1:-}" != quickstart ] || exit 0
filter='a_second_signal broken:: concurrently:: fleet::stopping private:: quickstart:: scripts:: status:: tls:: waiting::'
if [ "${1:-}" = all ]; then filter=; fi
started=$SECONDS
# What is compiled is the same on a busy machine, and takes twice as long.
check "the tests compile" as_newcomer cargo test --locked --quiet --all-features --no-run >"$place/said" 2>&1
say "compiled in $((SECONDS - started)) s"
started=$SECONDS
load_each_core
: >"$place/said"
check "test.sh ends well" as_newcomer env HACS_TEST_FILTER="$filter" scripts/test.sh
say "test.sh in $((SECONDS - started)) s"
