#!/usr/bin/env bash
# Builds the page that flowbench embeds from its source, with the exact packages
# of package-lock.json, and proves that the tree holds what comes out. Needs node
# and npm, which building flowbench does not.
set -euo pipefail
cd "$(dirname "$0")/../experiments/page"
command -v npm >/dev/null || { echo "page: no npm on the path: apt-get install nodejs npm (node 20 or later)"; exit 1; }
(cd web && npm ci --no-audit --no-fund --fetch-retries=5 && npm run build)
git diff --exit-code -- dist || { echo "page: dist/ is not what web/ makes: commit it together with its source"; exit 1; }
[ -z "$(git status --porcelain -- dist)" ] || { echo "page: dist/ holds files that are not in the tree"; exit 1; }
