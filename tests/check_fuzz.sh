#!/bin/bash
# check_fuzz.sh - every fuzz target over its seeds and for a few seconds more; `make fuzz` for
# longer.
set -u
exec "$(dirname "$0")/fuzz.sh" "${FUZZ_SECONDS:-3}"
