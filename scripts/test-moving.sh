#!/usr/bin/env bash
# Moves a database in the ways that docs/backup.md describes, from one PostgreSQL to a newer one, and looks at what
# arrived: the schema by verify, the trail by its seals, and that it goes on.
#
#   scripts/test-moving.sh [from [to]]      15 17
#
# Exits with 3 where one of the two servers cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
need_postgres >/dev/null
from=$(server_of "${1:-15}") || { say "NOT RUN: there is no PostgreSQL ${1:-15}"; exit 3; }
to=$(server_of "${2:-17}") || { say "NOT RUN: there is no PostgreSQL ${2:-17}"; exit 3; }
program=$(built --bin hacs-refinery)

work=$(mktemp -d "${TMPDIR:-/tmp}/hacs-moving-XXXXXX")
# The server may be another user, who has to get to its directories.
chmod 711 "$work"
old=$work/old new=$work/new upgraded=$work/upgraded
leave() {
    local dir
    for dir in "$old" "$new" "$upgraded"; do remove_cluster "$dir" immediate >/dev/null 2>&1 || true; done
    rm -rf "$work"
}
trap leave EXIT

sql() { "$to/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$1" -U hacs "$2" -c "$3"; }
is() { [ "$2" = "$3" ] || die "$1: found $2 instead of $3"; printf 'ok  %s\n' "$1"; }
patients='select count(*), max(family) from hacs_core.patients'
trail="select count(*), count(distinct change_id), md5(string_agg(c::text, '|' order by change_id)) from hacs_audit.resource_changes as c"

# What has to hold wherever it arrived, and that trail and seals go on from there: arrived TITLE DIRECTORY DATABASE
arrived() {
    "$program" verify -q -d "$(url_of "$2" "$3")" || die "$1: verify says otherwise"
    is "$1: the patients" "$(sql "$2" "$3" "$patients")" '2|Roe'
    is "$1: the trail, to the letter" "$(sql "$2" "$3" "$trail")" "$written"
    is "$1: every seal" "$(sql "$2" "$3" "select count(*) from hacs_audit.verify_seals()")" 0
    sql "$2" "$3" "update hacs_core.patients set phone = '1' where id = 'p1'"
    is "$1: the next change has a number of its own" "$(sql "$2" "$3" "select count(*) - count(distinct change_id) from hacs_audit.resource_changes")" 0
    sql "$2" "$3" "select hacs_audit.seal()" >/dev/null
    is "$1: every seal, with a new one" "$(sql "$2" "$3" "select count(*) from hacs_audit.verify_seals()")" 0
}

# A minor release may write down of each column what an older one does not know; then one of the same age is taken.
marked() { sql "$1" postgres "select exists (select 1 from pg_catalog.pg_attribute where attoptions is not null)"; }
PG_BINDIR=$to start_cluster "$new"
PG_BINDIR=$from start_cluster "$old" -c wal_level=logical
if [ "$(marked "$old")$(marked "$new")" = tf ]; then
    say "$("$from/postgres" --version) marks columns in a way that $("$to/postgres" --version) does not know"
    remove_cluster "$old" immediate
    from=$(server_of "${1:-15}" downloaded) || { say "NOT RUN: there is no other PostgreSQL ${1:-15}"; exit 3; }
    PG_BINDIR=$from start_cluster "$old" -c wal_level=logical
    [ "$(marked "$old")" = f ] || { say "NOT RUN: both releases of PostgreSQL ${1:-15} do so"; exit 3; }
fi
say "a database on $("$from/postgres" --version)"
sql "$old" postgres 'create database hacs'
"$program" migrate -q -d "$(url_of "$old" hacs)"
sql "$old" hacs "insert into hacs_core.patients (id, family) values ('p1', 'Doe'), ('p2', 'Doe');
    update hacs_core.patients set family = 'Roe' where id = 'p1'"
sql "$old" hacs "select hacs_audit.seal()" >/dev/null
written=$(sql "$old" hacs "$trail")

say "full dump and restore, to $("$to/postgres" --version)"
sql "$new" postgres 'create database hacs'
"$to/pg_dump" -h "$old" -U hacs -Fc hacs >"$work/hacs.dump"
"$to/pg_restore" -h "$new" -U hacs -d hacs --exit-on-error "$work/hacs.dump"
arrived "dump and restore" "$new" hacs

say "into a database that is migrated, with the trail and the seals"
sql "$new" postgres 'create database carried'
"$program" migrate -q -d "$(url_of "$new" carried)"
PG_BINDIR=$to scripts/carry-over.sh "$(url_of "$old" hacs)" "$(url_of "$new" carried)"
arrived "carry-over" "$new" carried

say "logical replication"
sql "$new" postgres 'create database replica'
"$program" migrate -q -d "$(url_of "$new" replica)"
tables=$(sql "$old" hacs "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables
    where schemaname in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents')")
sql "$old" hacs "create publication hacs for table $tables"
sql "$new" replica "create subscription hacs connection 'host=$old user=hacs dbname=hacs' publication hacs"
# Until it is there, or the time is over.
for _ in $(seq 300); do
    [ "$(sql "$new" replica "$patients")" != '2|Roe' ] || break
    sleep 0.2
done
is "replication: the patients" "$(sql "$new" replica "$patients")" '2|Roe'
sql "$old" hacs "update hacs_core.patients set family = 'Poe' where id = 'p2'"
changed="select string_agg(family, ' ' order by id) from hacs_core.patients"
for _ in $(seq 300); do
    [ "$(sql "$new" replica "$changed")" != 'Roe Poe' ] || break
    sleep 0.2
done
is "replication: a change" "$(sql "$new" replica "$changed")" 'Roe Poe'
is "replication: it leaves a trail of its own" \
    "$(sql "$new" replica "select count(*) from hacs_audit.resource_changes where operation = 'UPDATE'")" 1
sql "$new" replica "drop subscription hacs" 2>/dev/null
sql "$old" hacs "drop publication hacs; update hacs_core.patients set family = 'Doe' where id = 'p2'"
"$program" verify -q -d "$(url_of "$new" replica)" || die "replication: verify says otherwise"

say "pg_upgrade"
sql "$old" hacs "select hacs_audit.seal()" >/dev/null
written=$(sql "$old" hacs "$trail")
stop_cluster "$old"
PG_BINDIR=$to start_cluster "$upgraded"
stop_cluster "$upgraded"
# shellcheck disable=SC2016 # for the inner shell; pg_upgrade writes into the directory where it is
as_server sh -c 'cd "$0" && exec "$@"' "$upgraded" "$to/pg_upgrade" --username=hacs --old-bindir="$from" --new-bindir="$to" \
    --old-datadir="$old/data" --new-datadir="$upgraded/data" --socketdir="$upgraded" >"$work/said" 2>&1 ||
    { cat "$work/said" >&2; die "pg_upgrade failed"; }
PG_BINDIR=$to start_cluster "$upgraded"
arrived "pg_upgrade" "$upgraded" hacs
as_server rm -f "$upgraded/delete_old_cluster.sh"
say "all arrived"
