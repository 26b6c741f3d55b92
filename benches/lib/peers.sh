# shellcheck shell=bash disable=SC2034,SC2154 # its variables are shared with scripts/lib.sh and the scripts that read both
# Shared by the measurements of the program: a throwaway server, and other migration tools with the same files.
# The tools are installed once, into ${XDG_CACHE_HOME:-~/.cache}/hacs-refinery, each with everything that it brings
# pinned: those of cargo by the lock file in their package, the others by checksums (python.txt, scripts/npm.txt).
#
# HACS_BENCH_TOOLS="psql hacs-refinery dbmate" takes only some of them.

read -ra tools <<<"${HACS_BENCH_TOOLS:-psql hacs-refinery refinery_cli sqlx-cli dbmate alembic yoyo}"
has_tool() { [[ " ${tools[*]} " == *" $1 "* ]]; }

# Starts a server with PostgreSQL's defaults on a socket in $home and a port of 127.0.0.1, ended with the script. Anybody
# on the machine reaches the port: whoever logs in needs the password, which is in PGPASSWORD and on no command line. It
# is checked by md5, which adds least to what is measured.
start_bench_server() {
    bin=$(need_postgres)
    home=$(mktemp -d "${TMPDIR:-/tmp}/hacs-bench-XXXXXX")
    # The server may be another user, who has to get to its directory.
    chmod 711 "$home"
    trap stop_bench_server EXIT
    port=$((20000 + RANDOM))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM)); done
    start_cluster "$home/server" -c listen_addresses=127.0.0.1 -c "port=$port"
    socket=$home/server/.s.PGSQL.$port
    PGPASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    sql postgres <<<"set client_min_messages = error; set password_encryption = md5; alter role hacs password '$PGPASSWORD'"
    # The proxies of latency.sh lead to the socket.
    as_server sed -i 's/trust$/md5/' "$home/server/data/pg_hba.conf"
    sql postgres -c 'select pg_reload_conf()' >/dev/null
    export PGPASSWORD
}

stop_bench_server() {
    remove_cluster "$home/server" immediate || true
    rm -rf "$home"
}

sql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$home/server" -p "$port" -U hacs "$@"; }

# Installs what is missing of the tools, and gives each the nine files in the form that it wants.
need_peers() {
    command -v hyperfine >/dev/null || install_packages hyperfine
    [ -x /usr/bin/time ] || install_packages time
    mkdir -p "$cache"
    if has_tool refinery_cli; then need_cargo_tool refinery_cli 0.10.0 postgresql; fi
    if has_tool sqlx-cli; then need_cargo_tool sqlx-cli 0.9.0 postgres,native-tls; fi
    if has_tool dbmate; then
        dbmate=$(npm_tool dbmate)
        # Its own program, not the script of npm around it.
        dbmate=$(find "$dbmate/node_modules/@dbmate" -name dbmate -path '*/bin/*' | head -n 1)
        [ -x "$dbmate" ] || chmod u+x "$dbmate"
    fi
    if has_tool alembic || has_tool yoyo; then python=$(python_tools bench-python benches/lib/python.txt); fi
    write_migrations
}

# A tool of crates.io with the features that it needs here: need_cargo_tool NAME VERSION FEATURES
need_cargo_tool() {
    if [ ! -e "$cache/$1-$2/.crates.toml" ]; then
        say "building $1"
        cargo install --quiet --locked --root "$cache/$1-$2" --target-dir "$cache/target" --version "=$2" \
            --no-default-features --features "$3" "$1"
        rm -rf "$cache/target"
    fi
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
        { echo '-- migrate:up'; cat "$file"; echo '-- migrate:down'; } >"$home/dbmate/$(printf %03d "$number")_$name.sql"
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
    psql) echo "$bin/psql -X -q -v ON_ERROR_STOP=1 -1$(printf '%s\n' migrations/V*.sql | sort -V | sed 's/^/ -f /' | tr -d '\n') $url" ;;
    hacs-refinery) echo "$program migrate -q -d $url" ;;
    refinery_cli) echo "$cache/refinery_cli-0.10.0/bin/refinery migrate -e REFINERY_URL -p migrations" ;;
    sqlx-cli) echo "$cache/sqlx-cli-0.9.0/bin/sqlx migrate run --no-dotenv --source $home/sqlx -D $url" ;;
    dbmate) echo "$dbmate --url $url?sslmode=disable --migrations-dir $home/dbmate --no-dump-schema migrate" ;;
    alembic) echo "$python/bin/alembic -c $home/alembic.ini upgrade head" ;;
    yoyo) echo "$python/bin/yoyo apply -b --no-config-file --database $url $home/yoyo" ;;
    esac
}

# Runs a command with the variables in which two of the tools look for their database, on a port; not by env, on whose
# command line everybody could read the password: with_urls PORT COMMAND …
# shellcheck disable=SC2016 # $0 and $PGPASSWORD are for the inner shell
with_urls=(sh -c 'export REFINERY_URL="postgresql://hacs:$PGPASSWORD@127.0.0.1:$0/bench_refinery_cli" \
    ALEMBIC_URL="postgresql+psycopg2://hacs:$PGPASSWORD@127.0.0.1:$0/bench_alembic"; exec "$@"')
export_urls() {
    export REFINERY_URL="postgresql://hacs:$PGPASSWORD@127.0.0.1:$port/bench_refinery_cli"
    export ALEMBIC_URL="postgresql+psycopg2://hacs:$PGPASSWORD@127.0.0.1:$port/bench_alembic"
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
