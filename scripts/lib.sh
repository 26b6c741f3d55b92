# shellcheck shell=bash
# Shared by the scripts of this directory: say, stop, and install what a fresh machine lacks.

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root, where that is possible without asking.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo -n "$@"; else return 1; fi
}

# The directory of a complete PostgreSQL server: PG_BINDIR, PATH, pg_config, or where distributions put it.
find_postgres() {
    local dir
    for dir in "${PG_BINDIR:-}" "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/x)")" \
        "$(pg_config --bindir 2>/dev/null || true)" \
        $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV) /opt/homebrew/opt/postgresql*/bin; do
        if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/pg_dump" ]; then
            printf '%s\n' "$dir"
            return 0
        fi
    done
    return 1
}

# Installs Debian packages. Without a package manager that we know, it says what to install.
install_packages() {
    command -v apt-get >/dev/null || die "please install: $*"
    say "installing $*"
    # A cluster of the distribution's own is not wanted: every server here is a throwaway one.
    as_root mkdir -p /etc/postgresql-common ||
        die "not root, and sudo would ask for a password; please install: $*"
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
        --no-install-recommends "$@" >&2
}

# What cargo needs beyond Rust: a linker, and OpenSSL's headers for native-tls.
need_build_tools() {
    command -v cargo >/dev/null || die "cargo is missing; install Rust from https://rustup.rs"
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    if [ "$(uname -s)" = Linux ] && ! pkg-config --exists openssl 2>/dev/null && [ -z "${OPENSSL_DIR:-}" ]; then
        missing+=(pkg-config libssl-dev)
    fi
    if [ "${#missing[@]}" != 0 ]; then install_packages "${missing[@]}"; fi
}

# A complete PostgreSQL, installed if there is none; prints its directory.
need_postgres() {
    find_postgres && return
    install_packages postgresql
    find_postgres || die "no PostgreSQL server found, although one was installed; set PG_BINDIR"
}

# Whether the server in a directory can make the extension of pgvector.
has_pgvector() { [ -e "$("$1/pg_config" --sharedir 2>/dev/null)/extension/vector.control" ]; }

# The server's programs refuse to run as root.
server_user() {
    local name
    for name in postgres nobody; do
        if getent passwd "$name" >/dev/null; then echo "$name"; return; fi
    done
    die "as root, this needs a user named postgres or nobody to run the server"
}

# A program of the server, run as that user.
# shellcheck disable=SC2016 # $0 and $@ are for the inner shell
as_server() {
    if [ "$(id -u)" = 0 ]; then (cd / && su -s /bin/sh "$(server_user)" -c 'exec "$0" "$@"' -- "$@"); else "$@"; fi
}

# Sets the array compose to what this machine calls Docker Compose.
# shellcheck disable=SC2034 # the scripts that call this use it
need_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        die "Docker Compose is missing: install docker-compose, or the compose plugin of docker"
    fi
}
