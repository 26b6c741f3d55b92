#!/usr/bin/env bash
# Makes docs/pictures/terminal.svg: what a terminal shows of a real run, on a throwaway cluster, with its colours.
#
#   scripts/update-picture.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ $# = 0 ] || die "usage: scripts/update-picture.sh"
bin=$(need_postgres)
work=$(mktemp -d "${TMPDIR:-/tmp}/hacs-picture-XXXXXX")
chmod 711 "$work"
export HACS_QUICKSTART_DIR="$work/server"
trap 'env -u DATABASE_URL scripts/quickstart.sh stop 2>/dev/null; rm -rf "$work"' EXIT
env -u DATABASE_URL scripts/quickstart.sh >"$work/log" 2>&1 || { cat "$work/log" >&2; die "no server"; }
"$bin/createdb" -h "$HACS_QUICKSTART_DIR" -U hacs fresh

# The commands find the database through libpq's variables, as on a machine where it is set up.
export PGHOST=$HACS_QUICKSTART_DIR PGUSER=hacs PGDATABASE=fresh CLICOLOR_FORCE=1
unset NO_COLOR DATABASE_URL
program=$(built --bin hacs-refinery)
PATH=$(dirname "$program"):$bin:$PATH
# A command line as it is typed, and what it prints.
shown() {
    printf '\033[1m$ %s\033[0m\n' "$1"
    eval "$1" 2>&1 || true
    printf '\n'
}
{
    shown 'hacs-refinery migrate'
    shown 'hacs-refinery verify'
    shown "psql -qXc 'alter table hacs_core.patients drop constraint patients_age_range'"
    shown 'hacs-refinery verify'
} >"$work/screen"

# A line of text for each line, a tspan for each change of colour.
mkdir -p docs/pictures
awk '
function escaped(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); return text }
{ line[NR] = $0; plain = $0; gsub(/\033\[[0-9;]*m/, "", plain); if (length(plain) > width) width = length(plain) }
END {
    while (NR > 0 && line[NR] == "") NR--
    w = width * 8.43 + 40; h = NR * 20 + 56
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", w, h, w, h
    print "<title>hacs-refinery in a terminal</title>"
    print "<style>"
    print "text { font: 14px \"DejaVu Sans Mono\", Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre }"
    print ".b { font-weight: bold; fill: #ffffff } .r { font-weight: bold; fill: #ff7b72 } .g { fill: #7ee787 } .y { fill: #f2cc60 }"
    print "</style>"
    print "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1f24\"/>"
    print "<circle cx=\"20\" cy=\"18\" r=\"6\" fill=\"#ff7b72\"/><circle cx=\"40\" cy=\"18\" r=\"6\" fill=\"#f2cc60\"/><circle cx=\"60\" cy=\"18\" r=\"6\" fill=\"#7ee787\"/>"
    for (n = 1; n <= NR; n++) {
        rest = line[n]; out = ""; class = ""
        while (match(rest, /\033\[[0-9;]*m/)) {
            out = out span(class, substr(rest, 1, RSTART - 1))
            code = substr(rest, RSTART + 2, RLENGTH - 3)
            if (code == "" || code == "0") class = ""
            else if (code ~ /31/) class = "r"
            else if (code ~ /32/) class = "g"
            else if (code ~ /33/) class = "y"
            else if (class == "") class = "b"
            rest = substr(rest, RSTART + RLENGTH)
        }
        out = out span(class, rest)
        printf "<text x=\"20\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", 52 + (n - 1) * 20, out
    }
    print "</svg>"
}
function span(class, text) {
    if (text == "") return ""
    return class == "" ? escaped(text) : "<tspan class=\"" class "\">" escaped(text) "</tspan>"
}' "$work/screen" >docs/pictures/terminal.svg
say "docs/pictures/terminal.svg shows a run of $("$program" --version)"
