#!/usr/bin/env bash
# Tests the Python package of clients/python on a throwaway server, and builds its wheel; prints where that is.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
PG_BINDIR=$(need_postgres)
program=$(built --bin hacs-refinery)
tools=$(python_tools python-store clients/python/requirements.txt)/bin

home=$(mktemp -d)
ended() {
    remove_cluster "$home/server" immediate
    rm -rf -- "$home"
}
trap ended EXIT
# The server runs as another user.
chmod 711 "$home"
start_cluster "$home/server" -c fsync=off
url=$(url_of "$home/server" hacs)
psql() { "$PG_BINDIR/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
psql -d "$(url_of "$home/server" postgres)" -c "create database hacs" -c "create role hacs_python_app"
env -u PGHOST -u PGDATABASE "$program" migrate --quiet --database-url "$url"
psql -v app_role=hacs_python_app -f scripts/grant-app-role.sql "$url"

cp -R clients/python "$home/package"
cd "$home/package"
say "lints and types"
"$tools/ruff" check --quiet .
"$tools/ruff" format --quiet --check .
say "the wheel"
"$tools/python" -m build --wheel --no-isolation --outdir "$home/wheel" . >/dev/null
"$tools/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall "$home"/wheel/*.whl
"$tools/mypy" src
# Of what is installed, and not of the source beside it.
rm -rf src
"$tools/mypy" tests
say "tests"
TEST_DATABASE_URL=$url "$tools/pytest" --quiet
say "all of the Python package passed"
