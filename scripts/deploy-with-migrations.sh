#!/usr/bin/env bash
# Deploys with Docker Compose: starts the database, migrates it, verifies it, and only then starts everything else.
#
#   scripts/deploy-with-migrations.sh production|development [--yes] [--dry-run]
#
#   --yes      for production: there is a backup, do not ask
#   --dry-run  check the settings and print the commands, but run none
#
# Settings come from the environment or from .env; see docker-compose.yml. Compose's own variables count as well:
# COMPOSE_FILE=docker-compose.yml:docker-compose.secrets.yml takes passwords from files.
# Exits with the code of hacs-refinery where that is what failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

development_password=password

usage() {
    printf 'usage: scripts/deploy-with-migrations.sh production|development [--yes] [--dry-run]\n' >&2
    exit 2
}

# A variable of the environment, else of .env, as Compose reads it.
setting() {
    local value=${!1:-}
    if [ -z "$value" ] && [ -r .env ]; then
        value=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\+\)\?$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1)
        value=${value%$'\r'}
        case $value in
            \"*\" | \'*\') value=${value:1:${#value}-2} ;;
        esac
    fi
    printf '%s' "$value"
}

secret() {
    local dir
    dir=$(setting SECRETS_DIR)
    cat -- "${dir:-./secrets}/$1" || die "docker-compose.secrets.yml needs the file ${dir:-./secrets}/$1"
}

# Nobody else's production shall have the passwords that stand in docker-compose.yml.
refuse_development_passwords() {
    local who name password url
    for who in POSTGRES MIGRATOR APP AUDITOR; do
        name=${who,,}
        case $(setting COMPOSE_FILE) in
            *docker-compose.secrets.yml*)
                password=$(secret "${name}_password")
                url=
                case $who in MIGRATOR | APP) url=$(secret "${name}_url") ;; esac
                ;;
            *)
                password=$(setting "${who}_PASSWORD")
                url=$(setting "${who}_URL")
                ;;
        esac
        [ -n "$password" ] ||
            die "production needs ${who}_PASSWORD, or docker-compose.secrets.yml with the files of scripts/make-secrets.sh"
        local known=$development_password
        if [ "$password" = "$known" ] || grep -Eq ":$known(@|\$)|password ?= ?'?$known('|[& ]|\$)" <<<"$url"; then
            die "production refuses the password of docker-compose.yml, which everybody knows: choose another for ${who}_PASSWORD"
        fi
    done
}

confirm_backup() {
    local answer
    [ -z "$yes" ] || return 0
    if [ -n "$dry_run" ]; then
        say "would ask whether there is a backup; --yes says so"
        return
    fi
    [ -t 0 ] || die "production needs a backup of the database that can be restored; --yes says that there is one"
    read -r -p "Is there a backup of the database that can be restored? [yes/no] " answer
    [ "$answer" = yes ] || die "make a backup first; nothing was changed"
}

run() {
    printf '+ %s\n' "$*" >&2
    [ -n "$dry_run" ] || "$@"
}

environment=
yes=
dry_run=
for argument in "$@"; do
    case $argument in
        production | development)
            [ -z "$environment" ] || usage
            environment=$argument
            ;;
        --yes) yes=1 ;;
        --dry-run) dry_run=1 ;;
        *) usage ;;
    esac
done
[ -n "$environment" ] || usage

if [ "$environment" = production ]; then
    refuse_development_passwords
    confirm_backup
fi
if [ -n "$dry_run" ]; then compose=(docker compose); else need_compose; fi

once=("${compose[@]}" run --rm --no-deps -T)
say "building"
run "${compose[@]}" build hacs-migration
say "starting the database"
run "${compose[@]}" up -d postgres
# Over TCP, as in the health check of docker-compose.yml.
# shellcheck disable=SC2016 # $n is for the shell in the container
run "${compose[@]}" exec -T postgres sh -c \
    'n=0; until pg_isready -q -h 127.0.0.1 -U hacs; do n=$((n + 1)); [ $n -lt 120 ] || exit 1; sleep 1; done' ||
    die "the database does not take connections; see: ${compose[*]} logs postgres"
say "making the roles"
run "${once[@]}" hacs-roles
say "migrating"
run "${once[@]}" hacs-migration
say "granting"
run "${once[@]}" hacs-grants
say "verifying"
run "${once[@]}" hacs-migration hacs-refinery verify
say "starting everything else"
run "${compose[@]}" up -d
say "$environment is deployed${dry_run:+ (not really: --dry-run)}"
