# shellcheck shell=bash
# Shared by the measurements of the schema: a cluster with PostgreSQL's default settings, hospitals in it, and questions.
#
# HACS_BENCH_DIR names a directory for the cluster, which then stays, with its hospitals, for the next measurement;
# HACS_QUICKSTART_DIR=that-directory scripts/quickstart.sh stop removes it. Without it, everything is gone at the end.

bin=$(need_postgres)
# What a measurement writes down lies in $work.
work=$(mktemp -d "${TMPDIR:-/tmp}/hacs-bench-XXXXXX")
# The server may be another user, who has to get to its directory.
chmod 711 "$work"
export HACS_QUICKSTART_DIR=${HACS_BENCH_DIR:-$work/server}
leave() {
    if [ -z "${HACS_BENCH_DIR:-}" ]; then remove_cluster "$HACS_QUICKSTART_DIR" immediate || true; fi
    rm -rf "$work"
}
trap leave EXIT
unset DATABASE_URL
made=$(scripts/quickstart.sh 2>&1) || die "no database to measure; where the migrations changed, stop the old cluster: $made"

# psql in a database: sql NAME …
# shellcheck disable=SC2120
sql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$HACS_QUICKSTART_DIR" -U hacs "$@"; }

# A fresh database from another: copy_of TEMPLATE NAME
copy_of() { sql postgres -c "set client_min_messages = warning" -c "drop database if exists $2 with (force)" -c "create database $2 template $1"; }

# The hospital of that many observations, made unless it is there: hospital 100000. Prints the name of its database.
hospital() {
    if [ -z "$(sql postgres -c "select 1 from pg_database where datname = 'hospital_$1'")" ]; then
        say "a hospital with $1 observations"
        copy_of hacs "making_$1"
        sql "making_$1" -v observations="$1" -f benches/data/hospital.sql
        sql "making_$1" -c "vacuum analyze"
        sql postgres -c "alter database making_$1 rename to hospital_$1"
    fi
    printf 'hospital_%s\n' "$1"
}

# Asks a question and prints a line of fields: milliseconds to plan and execute (the median of seven, after three more
# that fill the caches), milliseconds to execute alone, rows, and what the plan reads: indexes, and tables with a star.
ask() {
    local values
    values=$(sed -n 's/^-- with: //p' "$2")
    {
        printf 'prepare question as '
        cat "$2"
        for _ in 1 2 3 4 5 6 7 8 9 10; do printf 'explain (analyze, timing off) execute question (%s);\n' "$values"; done
    } | sql "$1" | awk '
        /^Planning Time:/ { planning = $3 }
        /^Execution Time:/ { if (++n > 3) { total[n - 3] = planning + $3; alone[n - 3] = $3 } }
        n == 0 && !rows && match($0, /actual rows=[0-9.]+/) { rows = substr($0, RSTART + 12, RLENGTH - 12) + 0 "" }
        n == 9 && match($0, /(Index Scan|Index Only Scan|Index Scan Backward|Index Only Scan Backward) using [a-z0-9_]+/) {
            used(substr($0, RSTART, RLENGTH), "") }
        n == 9 && match($0, /Bitmap Index Scan on [a-z0-9_]+/) { used(substr($0, RSTART, RLENGTH), "") }
        n == 9 && match($0, /Seq Scan on [a-z0-9_]+/) { used(substr($0, RSTART, RLENGTH), "*") }
        function used(text, star) {
            sub(/.* /, "", text)
            sub(/resource_changes_(default|[0-9]+q[0-9])_/, "resource_changes_", text)
            if (!((text star) in seen)) { seen[text star]; names = names " " text star }
        }
        function median(list,    i, j, t) {
            for (i = 2; i <= 7; i++) for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
            return list[4]
        }
        END { printf "%.3f %.3f %s%s\n", median(total), median(alone), rows == "" ? 0 : rows, names }'
}
