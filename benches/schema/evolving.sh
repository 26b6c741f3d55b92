#!/usr/bin/env bash
# What the migrations of docs/evolving.md cost on a big table that is in use: the locks that they take, for how long,
# and how long a writer has to wait meanwhile.
#
#   benches/schema/evolving.sh               10 000 000 observations
#   benches/schema/evolving.sh 100000        fewer
#   benches/schema/evolving.sh 10000000 make | run | clean     only a part; the files stay until clean
#
# It needs 15 GB of disk below TMPDIR for 10 000 000. The cluster has PostgreSQL's default settings, but for the size of
# the write-ahead log between checkpoints.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh

rows=${1:-10000000}
part=${2:-all}
bin=$(need_postgres)
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"
HACS_QUICKSTART_DIR=${HACS_BENCH_DIR:-${TMPDIR:-/tmp}/hacs-bench-evolving-$(id -u)}
export HACS_QUICKSTART_DIR
home=$HACS_QUICKSTART_DIR
clean() { scripts/quickstart.sh stop 2>/dev/null || true; }
start() { start_cluster "$home"; }
stop() { stop_cluster "$home" || true; }
psql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$home" -U hacs "$@"; }

# Rows whose rules are known to hold are loaded without checking them one by one: constraints, triggers and indexes
# come back afterwards, those that would read the whole table by a word in the catalogue.
make() {
    clean
    scripts/quickstart.sh >/dev/null 2>&1
    psql hacs -c "alter system set max_wal_size = '8GB'" -c "select pg_reload_conf()" >/dev/null
    psql hacs <<'SQL'
insert into hacs_core.patients (id, family) select 'p' || n, 'F' || n from generate_series(1, 10000) as s (n);
create table public.kept as
select conname, pg_get_constraintdef(oid) as definition from pg_constraint
where conrelid = 'hacs_core.observations'::regclass and contype in ('c', 'f');
select format('alter table hacs_core.observations drop constraint %I', conname) from public.kept \gexec
create table public.indexes as
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
where indrelid = 'hacs_core.observations'::regclass and not indisprimary;
select format('drop index %s', name) from public.indexes \gexec
alter table hacs_core.observations drop constraint observations_pkey;
alter table hacs_core.observations disable trigger user;
SQL
    say "making $rows observations"
    local half
    for half in 0 1; do
        psql hacs -c "set synchronous_commit = off" -c "
            insert into hacs_core.observations (id, code, code_text, subject, effective_datetime, value_quantity, source)
            select 'o' || n, jsonb_build_object('text', 'Heart rate', 'coding', jsonb_build_array(
                    jsonb_build_object('system', 'http://loinc.org', 'code', '8867-4'))), 'Heart rate',
                'Patient/p' || (1 + n % 10000), now() - n * interval '1 second',
                jsonb_build_object('value', n % 200, 'unit', '/min'), 'monitor'
            from generate_series($((half * (rows / 2) + 1)), $((half * (rows / 2) + rows / 2))) as s (n)" &
    done
    wait
    psql hacs <<'SQL'
set maintenance_work_mem = '1GB';
alter table hacs_core.observations add primary key (id);
select definition from public.indexes \gexec
alter table hacs_core.observations enable trigger user;
alter table hacs_core.observations enable always trigger audit_insert, enable always trigger audit_update,
    enable always trigger audit_delete, enable replica trigger audit_row, enable always trigger audit_truncate;
select format('alter table hacs_core.observations add constraint %I %s not valid', conname, definition) from public.kept \gexec
update pg_constraint set convalidated = true where conrelid = 'hacs_core.observations'::regclass;
drop table public.kept, public.indexes;
vacuum (freeze, analyze) hacs_core.observations;
checkpoint;
SQL
    psql hacs -c "select 'the table has ' || pg_size_pretty(pg_total_relation_size('hacs_core.observations'))" >&2
    # Warnings alone: the comments of the constraints are not made again.
    "$(built --bin hacs-refinery)" verify -d "$(url_of "$home" hacs)" | tail -n 1 >&2
    stop
}

# About every millisecond, the modes in which the run locks the table. From another database: who has a snapshot in this
# one would be waited for.
sample() {
    "$bin/psql" -X -q -h "$home" -U hacs postgres -c "set application_name = 'sampler'" -c "set synchronous_commit = off" -c "
        do \$\$
        begin
            loop
                perform pg_stat_clear_snapshot();
                insert into seen
                select clock_timestamp(), mode from pg_locks
                where database = (select oid from pg_database where datname = 'hacs') and relation = $1 and granted
                    and pid in (select pid from pg_stat_activity where application_name = 'hacs-refinery');
                if found then commit; end if;
                perform pg_sleep(0.001);
            end loop;
        end
        \$\$" 2>/dev/null
}

# Four sessions write and read observations, 200 transactions a second together; each is written down.
write() {
    cat >"$home/write.sql" <<'SQL'
\set n random(1, 10000)
\set o random(1, :rows)
begin;
insert into hacs_core.observations (subject, code_text, source, value_string)
    values ('Patient/p' || :n, 'Pulse', 'monitor', 'high');
update hacs_core.observations set notes = 'seen' where id = 'o' || :o;
select count(*) from (select from hacs_core.observations where patient_id = 'p' || :n limit 10) as found;
commit;
SQL
    exec "$bin/pgbench" -h "$home" -U hacs -n -c 4 -R 200 -T 100000 -D "rows=$rows" -f "$home/write.sql" \
        --log --log-prefix "$home/latency" hacs >"$home/pgbench.out" 2>&1
}

run() {
    local embed
    embed=$(built --example embed)
    local files=() done=() file name oid writer sampler
    trap stop EXIT
    start
    psql hacs -c "select count(*) || ' observations' from hacs_core.observations" >&2 # warms the cache
    files=(tests/data/evolving/V10[0-9]__*.sql)
    oid=$(psql hacs -c "select 'hacs_core.observations'::regclass::oid")
    # %n: the time in seconds
    psql hacs -c "alter system set log_min_duration_statement = 0" -c "alter system set log_line_prefix = '%a|%n|'" \
        -c "select pg_reload_conf()" >/dev/null
    psql postgres -c "create table if not exists seen (at timestamptz, mode text)" -c "truncate seen"
    rm -f "$home"/latency.* "$home/stages"
    sample "$oid" &
    sampler=$!
    write &
    writer=$!
    sleep 3 # opens the connections
    printf 'no migration|%s|' "$(date +%s.%N)" >"$home/stages"
    sleep 15
    date +%s.%N >>"$home/stages"
    for file in "${files[@]}"; do
        done+=("$file")
        name=${file##*/}
        printf '%s|%s|' "${name%.sql}" "$(date +%s.%N)" >>"$home/stages"
        DATABASE_URL=$(url_of "$home" hacs) "$embed" hacs "${done[@]}" >&2
        date +%s.%N >>"$home/stages"
        sleep 3
    done
    kill "$writer"
    psql postgres -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sampler'" >/dev/null
    wait "$writer" "$sampler" 2>/dev/null || true
    report
    say "the plain forms, without a writer"
    plain 'alter table hacs_core.observations add column x text generated always as (source) stored'
    plain "alter table hacs_core.observations add constraint x check (priority in ('routine', 'urgent', 'stat'))"
    plain 'alter table hacs_core.observations alter column code_text set not null'
    plain 'create index x on hacs_core.observations (code_text, effective_datetime) where code_text is not null'
}

# How long a statement takes that keeps others out meanwhile; it is rolled back.
plain() {
    printf '| %s | %.2f s |\n' "$1" "$(psql hacs -c "set maintenance_work_mem = '512MB'" -c begin -c '\timing on' -c "$1" \
        -c '\timing off' -c rollback | awk '/^Time:/ { print $2 / 1000 }')"
}

# A stage is a file, or a statement of one outside a transaction, told from the server's log.
report() {
    {
        awk -F'|' '{ print $1 "\t" $2 "\t" $3 }' "$home/stages"
        awk -F'|' '/^hacs-refinery/ && match($3, /duration: [0-9.]+ ms  statement: (alter table hacs_core|create index)/) {
            split($3, part, /duration: | ms  statement: /); gsub(/ +/, " ", part[3])
            printf "%s\t%.6f\t%s\n", part[3], $2 - part[2] / 1000, $2 }' "$home/log"
    } >"$home/windows"
    awk '{ printf "%.6f\t%.3f\n", $5 + $6 / 1e6, $3 / 1000 }' "$home"/latency.* >"$home/latencies"
    psql postgres -c "create temporary table windows (stage text, since float, until float)" \
        -c "create temporary table latencies (at float, ms float)" \
        -c "\\copy windows from '$home/windows'" -c "\\copy latencies from '$home/latencies'" -c "
        with held as (
            -- one holding, where no more than 20 ms lie between two sights; a millisecond more than was seen
            select mode, at, sum(gap::int) over (partition by mode order by at) as holding
            from (
                select mode, extract(epoch from at) as at,
                    coalesce(at - lag(at) over (partition by mode order by at) > interval '20 ms', true) as gap
                from (select distinct mode, at from seen) as s
            ) as g
        ),
        holdings as (
            select mode, min(at) as since, max(at) as until from held
            where mode in ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'AccessExclusiveLock')
            group by mode, holding
        ),
        longest as (
            select stage, mode, max(least(h.until, w.until) - greatest(h.since, w.since)) * 1000 as ms
            from windows as w join holdings as h on h.since <= w.until and h.until >= w.since
            group by stage, mode
        )
        select '| ' || concat_ws(' | ', left(stage, 90), round((until - since)::numeric, 2) || ' s',
            coalesce((select string_agg(upper(trim(regexp_replace(replace(mode, 'Lock', ''), '([A-Z])', ' \\1', 'g'))) || ' ' || 1 + round(ms::numeric) || ' ms', ', ' order by mode)
                from longest as l where l.stage = w.stage), 'none'),
            (select round(max(ms)::numeric) || ' ms' from latencies where at >= w.since and at - ms / 1000 <= w.until)) || ' |'
        from windows as w order by since, until desc" -c "select count(*) || ' transactions of the writer, half of them within '
        || round(percentile_cont(0.5) within group (order by ms)::numeric, 1) || ' ms, 99 of 100 within '
        || round(percentile_cont(0.99) within group (order by ms)::numeric, 1) || ' ms' from latencies"
}

case $part in
    make) make ;;
    run) run ;;
    clean) clean ;;
    all) make; run; clean ;;
    *) die "usage: benches/schema/evolving.sh [rows] [make | run | clean]" ;;
esac
