#!/usr/bin/env bash
# What it costs a service of the original system that its generic table is followed: its upsert of one document, as its
# adapter says it, into a bare table and into a followed one, in turns, on a throwaway cluster with PostgreSQL's default
# settings.
#
#   benches/schema/follow.sh [rounds [seconds]]      3 5
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

rounds=${1:-3}
seconds=${2:-5}
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"
copy_of hacs bench_follow
psql() { sql bench_follow "$@"; }

psql -c "create schema bare; create schema followed" >/dev/null
psql -c "select hacs_core.make_generic_table(s, 'hacs_resources') from unnest('{bare, followed}'::text[]) as s" \
    -c "select hacs_core.follow('followed.hacs_resources')" >/dev/null
psql -c "insert into hacs_core.patients (id, family) select 'p' || n, 'F' || n from generate_series(1, 1000) as s (n)" >/dev/null

# A colon before a letter would be a variable of pgbench.
patient='{"resource_type": "Patient", "full_name": "Ada Lovelace", "given": ["Ada", "Augusta"], "family": "Lovelace",
    "gender": "female", "birth_date": "1985-12-10", "active": true, "language": "en", "phone": "+44 20 7946 0000",
    "email": "ada@example.org", "address": [{"use": "home", "city": "London", "country": "GB"}], "care_team": [],
    "identifiers": [{"system": "urn.example", "value": "12345"}], "marital_status": null, "age": null, "shoe_size": 38}'
observation='{"resource_type": "Observation", "status": "final", "subject": "Patient/p7", "value_quantity": {"value": 72,
    "unit": "/min"}, "code": {"text": "Heart rate", "coding": [{"system": "loinc", "code": "8867-4"}]}}'

# Transactions a second of one connection: rate TABLE TYPE DOCUMENT
rate() {
    cat >"$work/save.sql" <<SQL
\\set n random(1, 1000000000)
insert into $1.hacs_resources (id, resource_type, data, created_by, updated_by) values (:n::text, '$2', \$doc\$$(tr '\n' ' ' <<<"$3")\$doc\$::jsonb || jsonb_build_object('id', :n::text), 'doctor/1', 'doctor/1') on conflict (id) do update set data = excluded.data, updated_at = now(), updated_by = excluded.updated_by;
SQL
    "$bin/pgbench" -h "$HACS_QUICKSTART_DIR" -U hacs -n -M prepared -T "$seconds" -f "$work/save.sql" bench_follow | awk '/^tps/ { print $3 }'
}

for of in Patient Observation; do
    document=$patient
    if [ "$of" = Observation ]; then document=$observation; fi
    for _ in $(seq "$rounds"); do
        echo "$of $(rate bare "$of" "$document") $(rate followed "$of" "$document")"
    done
done | tee "$work/rates"
awk '{ bare[$1] += $2; followed[$1] += $3; n[$1]++ }
    END { for (of in n) printf "%s: %.0f writes a second into the bare table, %.0f into the followed one: %.2f times as long\n",
        of, bare[of] / n[of], followed[of] / n[of], bare[of] / followed[of] }' "$work/rates"
