#!/bin/sh
# Inside a container: brings the database of DATABASE_URL (or PG*) up to date and prints its status as JSON.
# Exits with the code of hacs-refinery.
set -eu
hacs-refinery migrate "$@"
exec hacs-refinery status --json
