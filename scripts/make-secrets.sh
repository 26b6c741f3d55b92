#!/usr/bin/env bash
# Makes the files of docker-compose.secrets.yml, with passwords that nobody can guess. What is there already stays.
#
#   scripts/make-secrets.sh [directory]      SECRETS_DIR, or ./secrets
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ $# -le 1 ] || die "usage: scripts/make-secrets.sh [directory]"
dir=${1:-${SECRETS_DIR:-./secrets}}
# Only you can enter the directory; user 10001 of the containers can read the files that are mounted from it.
(umask 077 && mkdir -p -- "$dir")
umask 022

# Writes a file unless it is there: keep NAME TEXT
keep() {
    if [ -s "$dir/$1" ]; then
        say "$dir/$1 stays"
    else
        printf '%s\n' "$2" >"$dir/$1"
        say "$dir/$1 is made"
    fi
}

for who in postgres migrator app auditor sealer; do keep "${who}_password" "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')"; done
# In a URL, other characters than these stand as %XX.
for who in migrator app auditor sealer; do
    password=$(cat -- "$dir/${who}_password")
    case $password in *[!A-Za-z0-9._~-]*) die "the password in $dir/${who}_password cannot stand in a URL as it is: write $dir/${who}_url yourself" ;; esac
    keep "${who}_url" "postgresql://hacs_$who:$password@postgres:5432/hacs"
done
