#!/usr/bin/env bash
# Renews what the files pin of other registries: the images by digest, the actions by commit. The tags stay; look at the
# difference, and at what is new in them, before you commit it.
#
#   scripts/update-pins.sh              needs an engine that reaches a registry, and git that reaches GitHub
#   scripts/update-pins.sh --check      writes nothing, and fails where a tag points elsewhere by now
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

case "$*" in
    '') check= ;;
    --check) check=1 ;;
    *) die "usage: scripts/update-pins.sh [--check]" ;;
esac

files=(Dockerfile.migration docker-compose.yml docker-compose.follow.yml deploy/kubernetes/*.yaml .github/workflows/*.yml)
stale=
renew() {
    if [ "$1" = "$2" ]; then return; fi
    say "$1 is $2 by now"
    stale=1
    [ -n "$check" ] || sed -i "s|$1|$2|g" "${files[@]}"
}

while IFS='@' read -r image digest; do
    docker pull --quiet "$image" >/dev/null || die "$image cannot be pulled"
    now=$(docker image inspect -f '{{index .RepoDigests 0}}' "$image")
    renew "$image@$digest" "$image@${now#*@}"
done < <(grep -ohE '[a-z]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}' "${files[@]}" | sort -u)

# A tag that is an object of its own names its commit in a second line.
while IFS='@' read -r action commit tag; do
    now=$(git ls-remote "https://github.com/$action" "refs/tags/$tag" "refs/tags/$tag^{}" | tail -n 1 | cut -f 1)
    [ -n "$now" ] || die "$action has no tag $tag"
    renew "$action@$commit # $tag" "$action@$now # $tag"
done < <(grep -ohE 'uses: [a-zA-Z0-9/-]+@[0-9a-f]{40} # v[0-9.]+' "${files[@]}" | sed 's/^uses: //; s/ # /@/' | sort -u)

if [ -n "$check" ] && [ -n "$stale" ]; then die "something pinned is not what its tag names by now"; fi
say "all pins are looked at"
