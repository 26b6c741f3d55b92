#!/usr/bin/env bash
# Tests image, Compose files and scripts on a real container engine: builds, deploys, breaks, and cleans up after itself.
#
#   scripts/test-containers.sh
#
# Needs docker with docker-compose or its compose plugin. Nothing outside of a Compose project of its own is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

command -v docker >/dev/null || die "docker is missing"
docker info >/dev/null 2>&1 || die "no container engine answers; is it running, and may $(id -un) use it?"
need_compose

work=$(mktemp -d)
project=hacs-test-$$
network=${project}_default
checks=0
# Settings of the surroundings do not count.
unset "${!PG@}" DATABASE_URL MIGRATOR_URL APP_URL HACS_WAIT SECRETS_DIR POSTGRES_IMAGE
image=$project-migration
export COMPOSE_PROJECT_NAME=$project HACS_MIGRATION_IMAGE=$image POSTGRES_PORT=0
export POSTGRES_PASSWORD='p@ss/w:rd%&' MIGRATOR_PASSWORD='m@ss/w:rd%&' APP_PASSWORD='a@ss/w:rd%&' AUDITOR_PASSWORD='u@ss/w:rd%&'
export COMPOSE_FILE=$PWD/docker-compose.yml:$work/build.yml

clean_up() {
    local code=$?
    trap - EXIT
    if [ "$code" != 0 ]; then
        say "FAILED; the containers said:"
        "${compose[@]}" logs --no-color --tail 40 >&2 || true
    fi
    # shellcheck disable=SC2046 # one word for each container
    docker rm -f -v $(docker ps -aq --filter "network=$network") >/dev/null 2>&1 || true
    "${compose[@]}" down -v --remove-orphans -t 2 >/dev/null 2>&1 || true
    docker image rm "$project-service" "$project-build" "$image" >/dev/null 2>&1 || true
    rm -rf "$work"
    exit "$code"
}
trap clean_up EXIT

check() {
    local title=$1
    shift
    "$@" || die "$title: $* gave $?"
    checks=$((checks + 1))
    printf 'ok  %s\n' "$title"
}

# A container that starts again and again would keep Compose waiting for its end.
bounded() { if [ "$(type -t "$1")" = file ]; then timeout -k 5 300 "$@"; else "$@"; fi; }
ends_with() { timeout -k 5 120 docker wait "$@"; }

# exits_with CODE COMMAND…: what the command said is in $work/said.
exits_with() {
    local wanted=$1 code=0
    shift
    bounded "$@" >"$work/said" 2>&1 </dev/null || code=$?
    [ "$code" = "$wanted" ] || { cat "$work/said" >&2; say "exit code $code instead of $wanted"; return 1; }
}

said() { grep -q -- "$1" "$work/said" || { cat "$work/said" >&2; return 1; }; }
not_said() { ! said "$1" 2>/dev/null; }
inspect() { docker inspect -f "$1" "$2"; }
is() { [ "$1" = "$2" ] || { say "found: $1"; return 1; }; }
container() { docker ps -aq --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" --filter "label=com.docker.compose.oneoff=False"; }
migrations() { "${compose[@]}" run --rm --no-deps -T "$@"; }
sql() { "${compose[@]}" exec -T postgres psql -X -q -A -t -v ON_ERROR_STOP=1 -U hacs -d "${2:-hacs}" -c "$1"; }
in_network() { docker run --rm --network "$network" -e PGHOST=postgres -e PGUSER=hacs_migrator -e PGDATABASE=hacs \
    -e PGPASSWORD="$MIGRATOR_PASSWORD" "$@"; }
# SQL with the login that the sample service has, whatever that is; read from its surroundings.
as_service() {
    local url password
    # shellcheck disable=SC2016 # for the shell in the container
    url=$("${compose[@]}" exec -T hacs-mcp-server sh -c 'if [ -n "$DATABASE_URL" ]; then echo "$DATABASE_URL"; else cat "$DATABASE_URL_FILE"; fi')
    # shellcheck disable=SC2016 # likewise
    password=$("${compose[@]}" exec -T hacs-mcp-server sh -c 'echo "${PGPASSWORD:-}"')
    bounded "${compose[@]}" exec -T -e PGPASSWORD="$password" postgres psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$url" -c "$1"
}
may_not() { exits_with 1 as_service "$1" && said 'permission denied'; }

# An engine without a bridge of its own can only build in the host's network.
build_network=default
docker network inspect bridge >/dev/null 2>&1 || build_network=host
# Where no registry is reached, images of the same names stand in for those that the files name by digest.
build_with=()
stand_in() {
    local variable=$1 name=$2
    if docker image inspect "$name" >/dev/null 2>&1 &&
        [ "$(docker image inspect -f '{{len .RepoDigests}}' "$name")" = 0 ]; then
        say "NOT TESTED: the pinned image of $name; a local one stands in for it"
        export "$variable=$name"
        build_with+=(--build-arg "$variable=$name")
    fi
}
stand_in RUST_IMAGE rust:1.95-bookworm
stand_in DEBIAN_IMAGE debian:bookworm-slim
stand_in POSTGRES_IMAGE postgres:15
{
    printf 'services:\n  hacs-migration:\n    build:\n      network: %s\n      args:\n        REVISION: tested\n' "$build_network"
    for ((n = 1; n < ${#build_with[@]}; n += 2)); do printf '        %s\n' "${build_with[n]/=/: }"; done
} >"$work/build.yml"

say "the image"
started=$SECONDS
check "Compose accepts its files" "${compose[@]}" config -q
check "the image builds" docker build -q --network "$build_network" "${build_with[@]}" -f Dockerfile.migration -t "$image" .
say "built in $((SECONDS - started)) s; $(docker image inspect -f '{{.Size}}' "$image") bytes in all," \
    "$(docker run --rm --network none "$image" stat -c %s /usr/local/bin/hacs-refinery) of them hacs-refinery"
mkdir "$work/changed"
cp -R .dockerignore Cargo.* Dockerfile.migration build.rs migrations scripts src "$work/changed"
# Changed in another way than last time, whose layers may still be there.
echo "-- changed $(date +%s%N)" >>"$work/changed/migrations/V1__hacs_core.sql"
check "it builds with a changed migration" exits_with 0 docker build --progress plain --network "$build_network" "${build_with[@]}" \
    --target build -t "$project-build" -f "$work/changed/Dockerfile.migration" "$work/changed"
check "it compiled the program again" said 'Compiling hacs-refinery'
check "but no dependency" not_said 'Compiling postgres'
check "it runs as user 10001" is "$(docker run --rm --network none "$image" id -u)" 10001
check "its default command is run-migrations.sh" is "$(inspect '{{json .Config.Cmd}}' "$image")" \
    '["/app/scripts/run-migrations.sh"]'
check "its label has the version of the program" is \
    "hacs-refinery $(inspect '{{index .Config.Labels "org.opencontainers.image.version"}}' "$image")" \
    "$(docker run --rm --network none "$image" hacs-refinery --version)"
check "it has CA certificates" docker run --rm --network none "$image" test -s /etc/ssl/certs/ca-certificates.crt
check "without any setting it exits with 2" exits_with 2 docker run --rm --network none "$image"

say "a wrong password"
check "up starts the database" "${compose[@]}" up -d postgres
MIGRATOR_URL='postgresql://hacs_migrator:wrong@postgres:5432/hacs' timeout -k 5 60 "${compose[@]}" up -d \
    >"$work/up" 2>&1 </dev/null || true
started=$SECONDS
check "the migration exits with 3" is "$(ends_with "$(container hacs-migration)")" 3
check "at once, without waiting for another answer" [ $((SECONDS - started)) -lt 20 ]
check "it says what to do" exits_with 0 docker logs "$(container hacs-migration)"
check "it names the cause" said 'SQLSTATE 28P01'
check "it does not show the password" not_said wrong@
sleep 3
check "it is not started again" is "$(inspect '{{.State.Status}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}' \
    "$(container hacs-migration)")" 'exited 0 no'
service=$(container hacs-mcp-server)
check "the service did not start" is "${service:+$(inspect '{{.State.StartedAt}}' "$service")}" \
    "${service:+0001-01-01T00:00:00Z}"
"${compose[@]}" down -v -t 2 >/dev/null 2>&1

say "the first start"
# HACS_WAIT: the migration must not need to wait, because the health check did.
check "up succeeds" exits_with 0 env HACS_WAIT=0s "${compose[@]}" up -d
migration=$(container hacs-migration)
service=$(container hacs-mcp-server)
check "the migration exited with 0" is "$(inspect '{{.State.ExitCode}} {{.State.Status}}' "$migration")" '0 exited'
check "it applied everything" exits_with 0 docker logs "$migration"
check "it applied the first migration" said 'Applied V1 '
docker logs "$migration" >"$work/said" 2>/dev/null
check "it printed the status as JSON, and nothing else, on standard output" is "$(head -c 1 "$work/said")$(
    grep -c 'migration_complete": true' "$work/said")$(tail -n 1 "$work/said")" '{1}'
check "its root file system was read-only" is "$(inspect '{{.HostConfig.ReadonlyRootfs}}' "$migration")" true
check "the service runs" is "$(inspect '{{.State.Running}}' "$service")" true
check "it started after the migration had ended" [ "$(inspect '{{.State.StartedAt}}' "$service")" \> \
    "$(inspect '{{.State.FinishedAt}}' "$migration")" ]
check "the grants exited with 0" is "$(inspect '{{.State.ExitCode}} {{.State.Status}}' "$(container hacs-grants)")" '0 exited'
check "status is complete from inside" exits_with 0 migrations hacs-migration hacs-refinery status --check
port=$("${compose[@]}" port postgres 5432)
check "status is complete through the published port" exits_with 0 docker run --rm --network host \
    -e PGPASSWORD="$MIGRATOR_PASSWORD" "$image" hacs-refinery status --check -d "postgresql://hacs_migrator@$port/hacs"
check "run-migrations.sh works inside the service, with the login of the migrator" exits_with 0 \
    "${compose[@]}" exec -T -e DATABASE_URL=postgresql://hacs_migrator@postgres:5432/hacs -e PGPASSWORD="$MIGRATOR_PASSWORD" \
    hacs-mcp-server /app/scripts/run-migrations.sh
check "it found nothing to do" said 'Nothing to do: the database is at V'

say "the roles"
check "nobody of the three is more than a plain role" is "$(sql "select string_agg(concat_ws(' ', rolname, rolsuper, rolcreaterole,
    rolcreatedb, rolreplication, rolbypassrls), ', ' order by rolname) from pg_roles where rolname ~ '^hacs_'")" \
    'hacs_app f f f f f, hacs_auditor f f f f f, hacs_migrator f f f f f'
check "the schemas are the migrator's" is "$(sql "select string_agg(distinct nspowner::regrole::text, ' ') from pg_namespace
    where nspname ~ '^hacs_'")" hacs_migrator
check "the service is the application" is "$(as_service 'select current_user')" hacs_app
check "it writes a patient" as_service "insert into hacs_core.patients (id, family) values ('p1', 'Doe')"
check "it reads it" is "$(as_service "select family from hacs_core.patients")" Doe
check "it changes it" as_service "update hacs_core.patients set family = 'Roe' where id = 'p1'"
check "it cannot read the trail" may_not "select count(*) from hacs_audit.resource_changes"
check "nor write it" may_not "insert into hacs_audit.resource_changes (operation) values ('INSERT')"
check "nor delete from it" may_not "delete from hacs_audit.resource_changes"
check "nor see the seals" may_not "select count(*) from hacs_audit.seals"
check "nor change the history" may_not "delete from hacs_admin.migrations"
check "nor make temporary tables" may_not "create temporary table mine (a int)"
check "nor migrate" exits_with 1 "${compose[@]}" exec -T hacs-mcp-server hacs-refinery migrate
auditor() { bounded "${compose[@]}" exec -T -e PGPASSWORD="$AUDITOR_PASSWORD" postgres psql -X -q -A -t -v ON_ERROR_STOP=1 \
    -h postgres -U hacs_auditor -d hacs -c "$1"; }
check "the auditor reads the trail, with who it was" is "$(auditor "select string_agg(operation || ' ' || session_role, ', '
    order by change_id) from hacs_audit.resource_changes where resource_id = 'p1'")" 'INSERT hacs_app, UPDATE hacs_app'
check "but writes no patient" exits_with 1 auditor "delete from hacs_core.patients"

say "a second start"
before=$(sql "select md5(string_agg(m::text, '|' order by version)) from hacs_admin.migrations as m")
check "up succeeds again" exits_with 0 "${compose[@]}" up -d
check "the migration exited with 0 again" is "$(ends_with "$(container hacs-migration)")" 0
check "and so did roles and grants" is "$(ends_with "$(container hacs-roles)" "$(container hacs-grants)" | xargs)" '0 0'
check "the history is the same" is \
    "$(sql "select md5(string_agg(m::text, '|' order by version)) from hacs_admin.migrations as m")" "$before"

say "an image of another's"
cat >"$work/Dockerfile" <<DOCKERFILE
FROM ${DEBIAN_IMAGE:-debian:bookworm-slim}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3
COPY --from=$image /usr/local/bin/hacs-refinery /usr/local/bin/
COPY --from=$image /app/scripts/run-migrations.sh /app/scripts/
DOCKERFILE
check "program and script can be copied into another image" \
    docker build -q --network "$build_network" -t "$project-service" "$work"
check "they work there" exits_with 0 in_network "$project-service" /app/scripts/run-migrations.sh

say "secrets by file"
echo "postgresql://hacs_migrator:m%40ss%2Fw%3Ard%25&@postgres:5432/hacs" >"$work/database_url"
echo 'postgres:5432:hacs:hacs_migrator:m@ss/w\:rd%&' >"$work/pgpass"
# What a mounted secret looks like: everybody in the container may read it, nobody may write it.
chmod 0755 "$work"
chmod 0444 "$work/database_url" "$work/pgpass"
with_secret() { docker run --rm --network "$network" --read-only -v "$work:/run/secrets:ro" "$@"; }
check "DATABASE_URL_FILE" exits_with 0 with_secret -e DATABASE_URL_FILE=/run/secrets/database_url "$image"
check "PGPASSFILE, although others may read it" exits_with 0 with_secret -e PGPASSFILE=/run/secrets/pgpass \
    -e DATABASE_URL=postgresql://hacs_migrator@postgres:5432/hacs "$image"
check "a file that is not there exits with 2" exits_with 2 with_secret -e DATABASE_URL_FILE=/run/secrets/x "$image"

say "hardened"
check "read-only, without capabilities, without /tmp" exits_with 0 in_network --read-only --cap-drop ALL \
    --security-opt no-new-privileges "$image"
check "as any other user" exits_with 0 in_network --read-only --user 65534:65534 "$image"
check "nothing in the image belongs to the user or can be written by it" is \
    "$(docker run --rm --network none "$image" sh -c \
        'find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /run/lock \) \
            -prune -o ! -type l -writable -print 2>/dev/null; echo the end')" 'the end'

say "several at once"
sql 'create database several owner hacs_migrator' postgres
many=()
for _ in 1 2 3 4 5; do
    many+=("$(docker run -d --network "$network" -e PGPASSWORD="$MIGRATOR_PASSWORD" \
        -e DATABASE_URL=postgresql://hacs_migrator@postgres:5432/several "$image")")
done
check "five migrations of one database all exit with 0" is "$(ends_with "${many[@]}" | sort | uniq -c | xargs)" '5 0'
applied=0
for id in "${many[@]}"; do
    # Not through a pipe to grep -q: it closes the pipe at the first match, and the writer's end then looks like a failure.
    case $(docker logs "$id" 2>&1) in *'Applied V1 '*) applied=$((applied + 1)) ;; esac
done
check "one of them did the work" is "$applied" 1
docker rm "${many[@]}" >/dev/null

say "a database that comes late, and one that never comes"
"${compose[@]}" stop -t 5 postgres >/dev/null 2>&1
late=$(docker run -d --network "$network" -e PGPASSWORD="$MIGRATOR_PASSWORD" \
    -e DATABASE_URL=postgresql://hacs_migrator@postgres:5432/hacs "$image")
sleep 3
check "the migration waits" is "$(inspect '{{.State.Running}}' "$late")" true
"${compose[@]}" start postgres >/dev/null 2>&1
check "and succeeds" is "$(ends_with "$late")" 0
waiting=$(docker run -d --network "$network" -e DATABASE_URL=postgresql://hacs@127.0.0.1:1/hacs "$image")
sleep 1
started=$SECONDS
docker stop -t 20 "$waiting" >/dev/null
check "a waiting migration can be stopped" [ $((SECONDS - started)) -lt 10 ]
check "it exits with 3 after its time" exits_with 3 docker run --rm --network "$network" -e HACS_WAIT=1s \
    -e DATABASE_URL=postgresql://hacs@127.0.0.1:1/hacs "$image"

say "deployment"
"${compose[@]}" down -v -t 2 >/dev/null 2>&1
for who in POSTGRES MIGRATOR APP AUDITOR; do
    check "production refuses the development password of $who" exits_with 1 env "${who}_PASSWORD=password" \
        scripts/deploy-with-migrations.sh production --yes
done
check "production wants a backup" exits_with 1 scripts/deploy-with-migrations.sh production
check "and nothing was started" is "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" ''
check "production with a password of its own" exits_with 0 scripts/deploy-with-migrations.sh production --yes
check "the service runs" is "$(inspect '{{.State.Running}}' "$(container hacs-mcp-server)")" true
check "development on top of it" exits_with 0 scripts/deploy-with-migrations.sh development
sql 'delete from hacs_admin.migrations where version = 3'
check "a deployment that cannot migrate exits with the code of hacs-refinery" exits_with 6 \
    scripts/deploy-with-migrations.sh development

say "a service of the original system"
"${compose[@]}" down -v -t 2 >/dev/null 2>&1
as_it_comes=$COMPOSE_FILE
export COMPOSE_FILE=$PWD/docker-compose.yml:$PWD/docker-compose.follow.yml:$work/build.yml
check "Compose accepts docker-compose.follow.yml" "${compose[@]}" config -q
timeout -k 5 300 "${compose[@]}" up -d >"$work/up" 2>&1 </dev/null || true
check "its table is made and followed" is "$(ends_with "$(container hacs-follow)")" 0
for start in first second; do
    check "it starts for the $start time, and writes" is "$(ends_with "$(container hacs-original-service)")" 0
    docker start "$(container hacs-original-service)" >/dev/null
done
check "what it wrote is typed" is "$(sql 'select id, gender from hacs_core.patients')" 's1|female'
check "and audited, with the one who wrote it" is "$(sql "select operation, actor_id, session_role from hacs_audit.resource_changes
    where resource_id = 's1'")" 'INSERT|doctor/1|hacs_app'
check "what breaks a rule is listed" is "$(sql 'select row_id, rule from public.hacs_resources_refused')" 's2|patients_gender_valid'
check "verify finds all as it should be" exits_with 0 migrations hacs-migration hacs-refinery verify --deep
"${compose[@]}" down -v -t 2 >/dev/null 2>&1
export COMPOSE_FILE=$as_it_comes

say "deployment with passwords from files"
"${compose[@]}" down -v -t 2 >/dev/null 2>&1
secrets=$work/secrets
check "make-secrets.sh makes them" exits_with 0 scripts/make-secrets.sh "$secrets"
check "nobody else can enter their directory" is "$(stat -c %a "$secrets")" 700
check "a second time keeps them" exits_with 0 scripts/make-secrets.sh "$secrets"
check "and says so" said 'app_url stays'
# The image that stands in for PostgreSQL's own may not know POSTGRES_PASSWORD_FILE.
cat >"$work/first.yml" <<YAML
services:
  postgres:
    environment:
      POSTGRES_PASSWORD: "$(cat "$secrets/postgres_password")"
YAML
unset POSTGRES_PASSWORD MIGRATOR_PASSWORD APP_PASSWORD AUDITOR_PASSWORD
export SECRETS_DIR=$secrets
export COMPOSE_FILE=$PWD/docker-compose.yml:$PWD/docker-compose.secrets.yml:$work/build.yml
if [ -n "${POSTGRES_IMAGE:-}" ]; then COMPOSE_FILE+=:$work/first.yml; fi
check "production deploys with docker-compose.secrets.yml" exits_with 0 scripts/deploy-with-migrations.sh production --yes
check "the service runs" is "$(inspect '{{.State.Running}}' "$(container hacs-mcp-server)")" true
check "it is the application" is "$(as_service 'select current_user')" hacs_app
check "it writes a patient" as_service "insert into hacs_core.patients (id, family) values ('p1', 'Doe')"
check "it cannot read the trail" may_not "select count(*) from hacs_audit.resource_changes"
for command in 'status --check' verify 'plan' 'migrate'; do
    # shellcheck disable=SC2086 # its words
    check "hacs-refinery $command works with the file" exits_with 0 migrations hacs-migration hacs-refinery $command
done
for of in hacs-roles hacs-migration hacs-grants hacs-mcp-server; do
    check "the environment of $of can be read" exits_with 0 inspect '{{json .Config}}' "$(container "$of")"
    for name in postgres migrator app auditor; do
        check "and has no password of $name" not_said "$(cat "$secrets/${name}_password")"
    done
done

say "all $checks checks passed in $SECONDS s"
