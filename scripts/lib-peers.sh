# shellcheck shell=bash disable=SC2034 # the scripts that read this use the variables
# Shared by the benchmarks of the program: a throwaway server, and other migration tools with the same eight files.
# The tools are installed once, into ${XDG_CACHE_HOME:-~/.cache}/hacs-refinery-bench.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/hacs-refinery-bench
tools=(psql hacs-refinery refinery_cli sqlx-cli dbmate alembic yoyo)

# Starts a server with PostgreSQL's defaults on a socket in $home and a port of 127.0.0.1, ended with the script.
start_bench_server() {
    bin=$(need_postgres)
    home=$(mktemp -d "${TMPDIR:-/tmp}/hacs-bench-XXXXXX")
    trap stop_bench_server EXIT
    if [ "$(id -u)" = 0 ]; then chown "$(server_user)" "$home"; fi
    as_server "$bin/initdb" -D "$home/data" -U hacs -A trust -E UTF8 --no-locale -N >/dev/null
    port=$((20000 + RANDOM))
    as_server "$bin/pg_ctl" -D "$home/data" -l "$home/log" -w -s \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='$home'" start
    socket=$home/.s.PGSQL.$port
}

stop_bench_server() {
    as_server "$bin/pg_ctl" -D "$home/data" -m immediate -w -s stop || true
    rm -rf "$home"
}

sql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$home" -p "$port" -U hacs "$@"; }

# Installs what is missing of the tools, and gives each the eight files in the form that it wants.
need_peers() {
    command -v hyperfine >/dev/null || install_packages hyperfine
    [ -x /usr/bin/time ] || install_packages time
    mkdir -p "$cache"
    if [ ! -x "$cache/refinery_cli/bin/refinery" ]; then
        say "building refinery_cli"
        cargo install --quiet --locked --root "$cache/refinery_cli" --version 0.10.0 \
            --no-default-features --features postgresql refinery_cli
    fi
    if [ ! -x "$cache/sqlx-cli/bin/sqlx" ]; then
        say "building sqlx-cli"
        cargo install --quiet --locked --root "$cache/sqlx-cli" --version 0.9.0 \
            --no-default-features --features postgres,native-tls sqlx-cli
    fi
    if [ ! -d "$cache/dbmate/node_modules" ]; then
        say "installing dbmate"
        npm install --silent --no-audit --no-fund --prefix "$cache/dbmate" dbmate@2.36.0
    fi
    # Its own program, not the script of npm around it.
    dbmate=$(find "$cache/dbmate/node_modules/@dbmate" -name dbmate -path '*/bin/*' | head -n 1)
    if [ ! -x "$cache/python/bin/alembic" ]; then
        say "installing alembic and yoyo"
        python3 -m venv "$cache/python"
        "$cache/python/bin/pip" install -q alembic==1.20.1 yoyo-migrations==9.0.0 psycopg2-binary==2.9.13 \
            "sqlalchemy<3" setuptools==65.5.0
    fi
    write_migrations
}

write_migrations() {
    local file name number
    mkdir "$home"/{sqlx,dbmate,yoyo,alembic,alembic/versions}
    for file in migrations/V*.sql; do
        name=$(basename "$file" .sql)
        number=${name%%__*}
        number=${number#V}
        name=${name#*__}
        cp "$file" "$home/sqlx/${number}_$name.sql"
        { echo '-- migrate:up'; cat "$file"; echo '-- migrate:down'; } >"$home/dbmate/${number}_$name.sql"
        # As a Python step: the tool would cut the text of a function at its semicolons.
        printf 'from yoyo import step\n__depends__ = {%s}\nsql = open(%s).read()\nsteps = [step(lambda c: c.cursor().execute(sql))]\n' \
            "$([ "$number" = 1 ] || echo "'$((number - 1))'")" "'$PWD/$file'" >"$home/yoyo/$number.py"
        cat >"$home/alembic/versions/$number.py" <<PYTHON
from alembic import op
revision, down_revision = "$number", $([ "$number" = 1 ] && echo None || echo "\"$((number - 1))\"")
def upgrade():
    op.get_bind().connection.cursor().execute(open("$PWD/$file").read())
PYTHON
    done
    printf '[alembic]\nscript_location = %s\n' "$home/alembic" >"$home/alembic.ini"
    cat >"$home/alembic/env.py" <<'PYTHON'
import os
from alembic import context
from sqlalchemy import create_engine
with create_engine(os.environ["ALEMBIC_URL"]).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
PYTHON
}

# The command of a tool that brings the database bench_<tool> up to date, over a port of 127.0.0.1.
command_of() {
    local tool=$1 at=$2
    local url="postgresql://hacs@127.0.0.1:$at/bench_$tool"
    case $tool in
    psql) echo "$bin/psql -X -q -v ON_ERROR_STOP=1 -1$(printf ' -f %s' migrations/V*.sql) $url" ;;
    hacs-refinery) echo "target/release/hacs-refinery migrate -q -d $url" ;;
    refinery_cli) echo "$cache/refinery_cli/bin/refinery migrate -e REFINERY_URL -p migrations" ;;
    sqlx-cli) echo "$cache/sqlx-cli/bin/sqlx migrate run --no-dotenv --source $home/sqlx -D $url" ;;
    dbmate) echo "$dbmate --url $url?sslmode=disable --migrations-dir $home/dbmate --no-dump-schema migrate" ;;
    alembic) echo "$cache/python/bin/alembic -c $home/alembic.ini upgrade head" ;;
    yoyo) echo "$cache/python/bin/yoyo apply -b --no-config-file --database $url $home/yoyo" ;;
    esac
}

# Where two of the tools look for their database.
variables() {
    echo "REFINERY_URL=postgresql://hacs@127.0.0.1:$1/bench_refinery_cli ALEMBIC_URL=postgresql://hacs@127.0.0.1:$1/bench_alembic"
}

# An empty database for a tool, and nothing that the server still has to write.
empty_database() {
    sql postgres -c 'set client_min_messages = warning' -c "drop database if exists \"bench_$1\" with (force)" \
        -c "create database \"bench_$1\" template template0" -c checkpoint
}

# Lines of "round tool value" become a table: the median of each tool, and the median of its ratios to the first tool in
# the same round, with the quarter below and above.
compare() {
    awk -v unit="$1" -v base="$2" '
        function sorted(list, n,    i, j, t) {
            for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
        }
        { value[$1, $2] = $3; if (!($2 in seen)) { seen[$2] = ++count; name[count] = $2 }; if ($1 > rounds) rounds = $1 }
        END {
            for (k = 1; k <= count; k++) {
                n = 0
                for (r = 1; r <= rounds; r++) if ((r, name[k]) in value) { a[++n] = value[r, name[k]]; q[n] = a[n] / value[r, base] }
                sorted(a, n); sorted(q, n)
                printf "%-24s %10.1f %s   %6.2f of %s (%.2f to %.2f)\n", name[k], a[int((n + 1) / 2)], unit, q[int((n + 1) / 2)], base,
                    q[int((n + 3) / 4)], q[int((3 * n + 1) / 4)]
            }
        }'
}
