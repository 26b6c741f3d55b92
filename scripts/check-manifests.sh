#!/usr/bin/env bash
# Checks deploy/kubernetes against the schemas of Kubernetes itself, which kubernetes-validate has in its package.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

validator=$(python_tools kubernetes-validate scripts/kubernetes-validate.txt)/bin/kubernetes-validate

# The oldest with a stable podFailurePolicy, and the newest that the package knows.
for version in 1.31 1.37; do
    "$validator" --strict --kubernetes-version "$version" deploy/kubernetes/*.yaml
done

# A validator that takes everything would prove nothing.
misspelt=$(mktemp)
trap 'rm -f "$misspelt"' EXIT
sed 's/restartPolicy:/restartpolicy:/' deploy/kubernetes/migration-job.yaml >"$misspelt"
if "$validator" --strict --quiet "$misspelt" >/dev/null 2>&1; then die "$validator takes a misspelt key"; fi
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
if grep -n 'image:' deploy/kubernetes/*.yaml | grep -v "image: hacs-migration:$version\$"; then
    die "these images are not those of version $version"
fi
say "the manifests are valid"
