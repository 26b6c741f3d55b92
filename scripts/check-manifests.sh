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
if grep -n 'image:' deploy/kubernetes/*.yaml | grep -vE "image: (hacs-migration:$version|postgres:[0-9]+@sha256:[0-9a-f]{64})\$"; then
    die "these images are not those of version $version, or not pinned"
fi

# Who can read which Secret: the service has the application's login and no other, and nothing is in the environment.
"$(dirname "$validator")/python" - deploy/kubernetes/*.yaml <<'PYTHON' || die "a container reads another Secret than it should"
import sys, yaml

found = {}
for name in sys.argv[1:]:
    for workload in yaml.safe_load_all(open(name)):
        job = workload["spec"].get("jobTemplate", workload)
        pod = job["spec"]["template"]["spec"]
        secrets = {v["name"]: v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
        for container in pod.get("initContainers", []) + pod["containers"]:
            if "envFrom" in container or any("valueFrom" in e for e in container.get("env", [])):
                sys.exit(f"{name}: {container['name']} takes a Secret from the environment")
            mounted = {secrets[m["name"]] for m in container["volumeMounts"] if m["name"] in secrets}
            found[workload["metadata"]["name"], container["name"]] = mounted
expected = {
    ("hacs-roles", "hacs-roles"): {"hacs-roles"},
    ("hacs-fleet", "hacs-fleet"): {"hacs-databases"},
    ("hacs-migration", "hacs-migration"): {"hacs-migrator"},
    ("hacs-migration", "hacs-grants"): {"hacs-migrator"},
    ("hacs-seal", "hacs-seal"): {"hacs-sealer"},
    ("hacs-verify", "hacs-verify"): {"hacs-auditor"},
    ("hacs-mcp-server", "hacs-migration"): {"hacs-migrator"},
    ("hacs-mcp-server", "hacs-mcp-server"): {"hacs-app"},
}
if found != expected:
    sys.exit(f"found {found}")
PYTHON
say "the manifests are valid"
