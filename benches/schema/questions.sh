#!/usr/bin/env bash
# How long the questions of benches/questions take in hospitals of several sizes, how that grows, and by which indexes.
# Prints two tables for docs/performance.md.
#
#   benches/schema/questions.sh [observations…]        1000 100000 1000000
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

sizes=("$@")
[ $# != 0 ] || sizes=(1000 100000 1000000)
results=$work/questions
: >"$results"
for size in "${sizes[@]}"; do
    database=$(hospital "$size")
    say "the questions to $size observations"
    for file in benches/questions/*.sql; do
        name=${file##*/}
        printf '%s %s %s\n' "${name%.sql}" "$size" "$(ask "$database" "$file")" >>"$results"
    done
done

awk -v sizes="${sizes[*]}" '
    { ms[$1, $2] = $3; rows[$1, $2] = $5; if (!($1 in known)) { known[$1]; order[++n] = $1 }
      names = ""; for (i = 6; i <= NF; i++) names = names (names == "" ? "" : ", ") $i; plan[$1] = names }
    END {
        count = split(sizes, size, " "); first = size[1]; last = size[count]
        printf "| question |"; for (s = 1; s <= count; s++) printf " ms at %s | rows |", size[s]
        printf " times longer |\n|---|"; for (s = 1; s <= count; s++) printf "--:|--:|"; print "--:|"
        for (q = 1; q <= n; q++) {
            printf "| `%s` |", order[q]
            for (s = 1; s <= count; s++) printf " %.2f | %d |", ms[order[q], size[s]], rows[order[q], size[s]]
            printf " %.1f |\n", ms[order[q], last] / ms[order[q], first]
        }
        printf "\n| question | what its plan reads at %s |\n|---|---|\n", last
        for (q = 1; q <= n; q++) printf "| `%s` | %s |\n", order[q], plan[order[q]]
    }' "$results"
