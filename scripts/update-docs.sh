#!/usr/bin/env bash
# Makes docs/schema.md, docs/schema/*.md and docs/pictures/*.svg from the catalogue of a migrated database.
#
#   scripts/update-docs.sh                   with a throwaway cluster; the pictures need Graphviz
#   scripts/update-docs.sh --check           writes nothing, and fails where the files are not current
#   DATABASE_URL=… scripts/update-docs.sh    from that database, which is only read
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

case "$*" in
    '') check= ;;
    --check) check=1 ;;
    *) die "usage: scripts/update-docs.sh [--check]" ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/hacs-docs-XXXXXX")
bin=$(need_postgres)
if [ -n "${DATABASE_URL:-}" ]; then
    trap 'rm -rf "$work"' EXIT
else
    export HACS_QUICKSTART_DIR="$work/server"
    chmod 711 "$work"
    trap 'scripts/quickstart.sh stop 2>/dev/null; rm -rf "$work"' EXIT
    scripts/quickstart.sh >"$work/log" 2>&1 || { cat "$work/log" >&2; die "no database to read"; }
    DATABASE_URL=$(url_of "$HACS_QUICKSTART_DIR" hacs)
fi
psql() { "$bin/psql" -X -q -d "$DATABASE_URL" "$@"; }

stale=()
# Replaces a file of docs/, or notes that it is not current.
keep() {
    if [ -z "$check" ]; then
        mkdir -p "$(dirname "$2")"
        cat "$1" >"$2"
    elif ! diff -u "$2" "$1" >&2; then
        stale+=("$2")
    fi
}

{ cat scripts/schema-introduction.md; psql -v page=contents -f scripts/schema-reference.sql; } >"$work/schema.md"
keep "$work/schema.md" docs/schema.md
for page in hacs_core hacs_clinical hacs_registry hacs_agents hacs_admin hacs_audit rules; do
    psql -v page="$page" -f scripts/schema-reference.sql >"$work/$page.md"
    keep "$work/$page.md" "docs/schema/$page.md"
done

# The same source gives another SVG with another version of Graphviz or with other fonts: so each SVG carries the
# checksum of its source, and is current as long as that one is. Checking needs no Graphviz.
# Of a schema with two tables a picture shows nothing.
for picture in whole hacs_core hacs_clinical; do
    psql --set schema="$picture" -f scripts/schema-pictures.sql >"$work/$picture.dot"
    source="<!-- source: $(cksum <"$work/$picture.dot") -->"
    svg="docs/pictures/$picture.svg"
    if grep -qsF "$source" "$svg"; then continue; fi
    if [ -n "$check" ]; then
        stale+=("$svg")
    else
        command -v dot >/dev/null || install_packages graphviz fonts-liberation
        { dot -Tsvg "$work/$picture.dot"; printf '%s\n' "$source"; } >"$work/$picture.svg"
        keep "$work/$picture.svg" "$svg"
    fi
done

if [ "${#stale[@]}" != 0 ]; then
    die "not current: ${stale[*]}; run scripts/update-docs.sh and commit what it makes"
fi
say "docs/schema.md, docs/schema and docs/pictures are current"
