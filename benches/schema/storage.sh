#!/usr/bin/env bash
# What storage settings would bring in a hospital: fill factors, autovacuum's scale factor, statistics targets. Prints
# tables for docs/performance.md. The audit is off: it costs the same whatever the settings of the table.
#
# fillfactor: 6 000 rows arrive in a freshly packed table one by one, each in a transaction of its own, and are updated
# when 20, 200 and 2 000 more have arrived; or any row is updated 20 000 times. The table is vacuumed after each fifth,
# about when autovacuum would come. autovacuum: 2 000 updates a second for 20 seconds, the daemon looking each second.
# statistics: the planner's estimate for each value against the count of it, the plans of benches/questions, and those of
# a join of conditions with their patients for each code.
#
#   benches/schema/storage.sh [fillfactor|autovacuum|statistics] [observations [updates [seconds]]]     all three, 100000 20000 20
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

parts=(fillfactor autovacuum statistics)
if [[ ${1:-} == [a-z]* ]]; then parts=("$1"); shift; fi
template=$(hospital "${1:-100000}")
updates=${2:-20000}
seconds=${3:-20}

# In the copy of the hospital: s ARGUMENTS OF psql …
s() { sql storage "$@"; }

# A table packed anew, its counters at zero: pack TABLE OPTION=VALUE …
pack() {
    s -c "set client_min_messages = warning" -c "delete from $1 where id like 'new%'" -c "alter table $1 set ($2)" \
        -c "vacuum (full, analyze) $1" -c "checkpoint"
    # The statistics of a session arrive when it ends.
    s -c "select pg_stat_reset_single_table_counters('$1'::regclass)" >/dev/null
}

megabytes() { s -c "select round(pg_table_size('$1') / 1e6, 1) || ' | ' || round(pg_indexes_size('$1') / 1e6, 1)"; }

# The rounds of a workload: rounds LAST STATEMENTS, in which n is the number of the row.
rounds() {
    local from
    for ((from = 1; from <= $1; from += $1 / 5)); do
        cat <<SQL
do \$\$
declare
    at timestamptz;
    spent interval := '0';
    updates bigint := 0;
    old bigint;
begin
    for n in $from..$((from + $1 / 5 - 1)) loop
        $2
        commit;
    end loop;
    insert into spent values (spent, updates);
end
\$\$;
vacuum $table;
SQL
    done
}

# One update and its time: timed SET WHERE
timed() { printf 'at := clock_timestamp(); update %s set %s where id = %s; spent := spent + (clock_timestamp() - at); updates := updates + 1; ' "$table" "$1" "$2"; }

# Rows that come as copies of old ones and are updated up to three times: arriving NAME TABLE PREFIX FIRST_STATUS SET…
arriving() {
    local name=$1 prefix=$3 first=$4 columns body lag=20 set
    table=$2
    columns=$(s -c "select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = '$table'::regclass and attnum > 0 and attgenerated = '' and attname not in ('id', 'status')")
    body="insert into $table (id, status, $columns) select 'new' || n, '$first', $columns from $table where id = '$prefix' || n; "
    shift 4
    for set in "$@"; do
        body+="old := n - $lag; if old > 0 then $(timed "$set" "'new' || old") end if; "
        lag=$((lag * 10))
    done
    fillings "$name" $((updates * 3 / 10)) "$body"
}

# Any row is updated, some more often: anywhere NAME TABLE PREFIX SET
anywhere() {
    table=$2
    fillings "$1" "$updates" "old := 1 + floor(power(random(), 2) * (select count from counted)); $(timed "$4" "'$3' || old")"
}

fillings() {
    local factor before
    s -c "drop table if exists counted" -c "create table counted as select count(*) from $table" 2>/dev/null
    for factor in 100 90 85 70; do
        pack "$table" "fillfactor = $factor, autovacuum_enabled = off"
        before=$(megabytes "$table")
        { printf 'truncate spent;\nset synchronous_commit = off;\nselect setseed(0.5);\n'; rounds "$2" "$3"; } | s >/dev/null
        sleep 1
        printf '| %s | %s | %s | %s | %s |\n' "$1" "$factor" "$(s -c "
            select round(100.0 * n_tup_hot_upd / n_tup_upd) || ' | ' || (select round(extract(epoch from sum(time)) * 1e6 / sum(updates), 1) from spent)
            from pg_stat_user_tables where relid = '$table'::regclass")" "$before" "$(megabytes "$table")"
    done
}

measure_fillfactor() {
    local later="last_modified = last_modified + interval '1 hour'"
    s -c "create table spent (time interval, updates bigint)"
    printf '| workload | fill factor | HOT, %% | µs an update | table before, MB | indexes | table after, MB | indexes |\n|---|--:|--:|--:|--:|--:|--:|--:|\n'
    arriving "tasks: requested, accepted, in progress, completed" hacs_clinical.tasks t requested \
        "status = 'accepted', $later" "status = 'in-progress', $later" "status = 'completed', $later"
    arriving "tasks: progress" hacs_clinical.tasks t in-progress \
        "completion_percentage = 20, $later" "completion_percentage = 50, $later" "completion_percentage = 90, $later"
    arriving "appointments: booked, arrived, fulfilled" hacs_clinical.appointments a booked "status = 'arrived'" "status = 'fulfilled'"
    arriving "messages: sent, delivered, read" hacs_agents.messages g sent "status = 'delivered'" "status = 'read'"
    arriving "observations: preliminary, final" hacs_core.observations o preliminary "status = 'final'"
    anywhere "memories: recalled" hacs_agents.memories y "last_accessed = now()"
    anywhere "patients: a new phone number" hacs_core.patients p "phone = '+1 555 ' || n"
}

measure_autovacuum() {
    local scale before lsn dead watcher
    s -c "alter system set autovacuum_naptime = '1s'" -c "select pg_reload_conf()" >/dev/null
    cat >"$work/update.sql" <<'SQL'
\set n random(1, 20000)
update hacs_clinical.tasks set status = (array['requested', 'accepted', 'in-progress', 'completed'])[1 + :n % 4],
    completion_percentage = 1 + coalesce(completion_percentage, 0) % 90 where id = 't' || :n;
update hacs_clinical.tasks set status = case status when 'completed' then 'accepted' else 'completed' end where id = 't' || :n;
SQL
    printf '| scale factor | vacuums | most dead rows seen | table before, MB | indexes | table after, MB | indexes | WAL, MB |\n|--:|--:|--:|--:|--:|--:|--:|--:|\n'
    for scale in 0.2 0.05 0.02; do
        pack hacs_clinical.tasks "fillfactor = 100, autovacuum_enabled = on, autovacuum_vacuum_scale_factor = $scale, autovacuum_analyze_scale_factor = 10"
        before=$(megabytes hacs_clinical.tasks)
        lsn=$(s -c "select pg_current_wal_lsn()")
        dead=$work/dead
        # the counters arrive each second
        for _ in $(seq $((2 * seconds + 5))); do
            s -c "select n_dead_tup from pg_stat_user_tables where relid = 'hacs_clinical.tasks'::regclass"
            sleep 0.5
        done >"$dead" &
        watcher=$!
        PGOPTIONS='-c synchronous_commit=off' "$bin/pgbench" -n -M prepared -R 1000 -T "$seconds" -f "$work/update.sql" \
            -h "$HACS_QUICKSTART_DIR" -U hacs storage >/dev/null 2>&1
        wait "$watcher"
        printf '| %s | %s | %s | %s | %s | %s |\n' "$scale" "$(s -c "
            select autovacuum_count from pg_stat_user_tables where relid = 'hacs_clinical.tasks'::regclass")" \
            "$(sort -n "$dead" | tail -1)" "$before" "$(megabytes hacs_clinical.tasks)" \
            "$(s -c "select round(pg_wal_lsn_diff(pg_current_wal_lsn(), '$lsn') / 1e6)")"
    done
    s -c "alter system reset autovacuum_naptime" -c "select pg_reload_conf()" >/dev/null
}

measure_statistics() {
    local target file name before after plan
    s <<'SQL'
create function estimates(relation regclass, expression text, condition text, out worst numeric, out usual numeric, out counted bigint, out ms numeric)
language plpgsql as $$
declare
    value text;
    actual bigint;
    plan json;
    errors numeric[] := '{}';
    begun timestamptz;
    spent interval := '0';
begin
    for value, actual in execute format('select %s, count(*) from %s where %1$s is not null group by 1 order by md5(%1$s) limit 500', expression, relation)
    loop
        begun := clock_timestamp();
        execute format('explain (format json) select from %s where ' || condition, relation, value) into plan;
        spent := spent + (clock_timestamp() - begun);
        errors := errors || greatest((plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric / actual, actual / (plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric);
    end loop;
    select round(max(error), 1), round(percentile_cont(0.5) within group (order by error)::numeric, 2), count(*),
        round((extract(epoch from spent) * 1000 / count(*))::numeric, 2)
    into worst, usual, counted, ms from unnest(errors) as e (error);
end
$$;

create table joins (target integer, code text, shape jsonb, ms numeric);
create function join_each_code(target integer) returns void language plpgsql as $$
declare
    code text;
    plan jsonb;
begin
    for code in select distinct c.code #>> '{coding,0,code}' from hacs_clinical.conditions as c loop
        execute format('explain (analyze, timing off, format json) select p.id, p.family
            from hacs_clinical.conditions as c join hacs_core.patients as p on p.id = c.patient_id
            where c.code @> ''{"coding": [{"code": "%s"}]}'' and c.clinical_status in (''active'', ''recurrence'', ''relapse'')
            order by p.family, p.id', code) into plan;
        insert into joins values (target, code, jsonb_path_query_array(plan, 'strict $.**."Node Type"'),
            (plan -> 0 ->> 'Execution Time')::numeric + (plan -> 0 ->> 'Planning Time')::numeric);
    end loop;
end
$$;
SQL
    printf '| target | condition | values | worst, times | median, times | ms to plan |\n|--:|---|--:|--:|--:|--:|\n'
    for target in 100 1000; do
        s -c "alter database storage set default_statistics_target = $target"
        s -c "analyze"
        s -F ' | ' <<SQL | sed "s/^/| $target | /; s/$/ |/"
with conditions (relation, expression, condition) as (
    values
        ('hacs_core.observations', 'code #>> ''{coding,0,code}''', 'code @> ''{"coding": [{"code": "%2\$s"}]}'''),
        ('hacs_core.observations', 'status', 'status = %2\$L'),
        ('hacs_core.observations', 'patient_id', 'patient_id = %2\$L'),
        ('hacs_clinical.conditions', 'code #>> ''{coding,0,code}''', 'code @> ''{"coding": [{"code": "%2\$s"}]}'''),
        ('hacs_clinical.medication_requests', 'medication_codeable_concept #>> ''{coding,0,code}''',
            'medication_codeable_concept @> ''{"coding": [{"code": "%2\$s"}]}'''),
        ('hacs_clinical.tasks', 'status', 'status = %2\$L'),
        -- of the open ones, as the index has them
        ('hacs_clinical.tasks', 'case when status in (''requested'', ''accepted'', ''in-progress'', ''on-hold'') then owner ->> ''reference'' end',
            'owner ->> ''reference'' = %2\$L and status in (''requested'', ''accepted'', ''in-progress'', ''on-hold'')'),
        ('hacs_agents.messages', 'status', 'status = %2\$L')
)
select '\`' || split_part(relation, '.', 2) || '.' || regexp_replace(condition, ' (=|@>).*', ' \1 …') || '\`' || case when condition ~ 'and' then ', open' else '' end, counted, worst, usual, ms
from conditions, estimates(relation::regclass, expression, condition);
SQL
        # the first time fills the caches
        s -c "select join_each_code(0)" -c "select join_each_code($target)" >/dev/null
        for file in benches/questions/*.sql; do
            name=${file##*/}
            printf '%s %s\n' "${name%.sql}" "$(ask storage "$file")"
        done | sort >"$work/plans-$target"
    done
    s <<'SQL'
select format('%s codes joined with patients, %s shapes of plans: for %s codes they differ; %s ms at 100, %s ms at 1000',
    count(*), count(distinct a.shape), count(*) filter (where a.shape <> b.shape),
    round(avg(a.ms), 2), round(avg(b.ms), 2))
from joins as a join joins as b using (code) where a.target = 100 and b.target = 1000;
SQL
    printf '| question | ms at 100 | ms at 1000 | plan |\n|---|--:|--:|---|\n'
    join "$work"/plans-100 "$work"/plans-1000 | cut -d' ' -f1 | while read -r name; do
        before=$(grep "^$name " "$work/plans-100")
        after=$(grep "^$name " "$work/plans-1000")
        if [ "$(cut -d' ' -f4- <<<"$before")" = "$(cut -d' ' -f4- <<<"$after")" ]; then plan=same; else
            plan="$(cut -d' ' -f5- <<<"$before"); then $(cut -d' ' -f5- <<<"$after")"
        fi
        # shellcheck disable=SC2016 # Markdown's backquotes
        printf '| `%s` | %s | %s | %s |\n' "$name" "$(cut -d' ' -f2 <<<"$before")" "$(cut -d' ' -f2 <<<"$after")" "$plan"
    done
}

for part in "${parts[@]}"; do
    copy_of "$template" storage
    for audited in hacs_clinical.{tasks,appointments} hacs_agents.{messages,memories} hacs_core.{observations,patients}; do
        s -c "alter table $audited disable trigger audit_insert, disable trigger audit_update, disable trigger audit_delete"
    done
    say "$part"
    "measure_$part"
done
sql postgres -c "drop database storage"
