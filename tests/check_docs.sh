#!/bin/bash
# check_docs.sh - what the documents point at is there: tests by name, and files.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/say.sh
. tests/say.sh

# `make check T=NAME` [test] [another]: the test program, and the tests inside.
missing_tests() {
	local name tests test file
	grep -hoE 'T=[a-z0-9_/]+`( \[[a-z0-9_]+\])*' "$@" | sort -u | while read -r name tests; do
		name=${name#T=} name=${name%\`}
		file=$(ls "tests/$name.c" "tests/$name.sh" 2>/dev/null)
		[ -n "$file" ] || echo "no test $name"
		for test in ${tests//[][]/}; do
			[ -z "$file" ] || grep -q "START_TEST($test)" "$file" ||
				echo "no $test in $file"
		done
	done
}

# Rows of tables that say of something that it is here, without a command that shows it.
rows_without_command() {
	grep -E '^\|' "$1" | grep -vE '^\| ?(etherconn|step|there) \||^\|---' | grep -v '`[^`]*make [^`]*`'
}

# [text](path) relative to the document.
missing_files() {
	local doc link
	for doc in "$@"; do
		grep -oE '\]\([^)#]+' "$doc" | cut -c3- | grep -v '^[a-z]*:' | while read -r link; do
			[ -e "$(dirname "$doc")/$link" ] || echo "$doc: no $link"
		done
	done
}

documents=(*.md docs/*.md proto/*.md)
verdict "every test that the documents name is there" "$(missing_tests "${documents[@]}")"
verdict "every row of docs/ETHERCONN.md has its command" "$(rows_without_command docs/ETHERCONN.md)"
verdict "every link of the documents leads somewhere" "$(missing_files "${documents[@]}")"
# would it notice?
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# shellcheck disable=SC2016
echo '`make check T=check_nothing` [test_of_it] and [a link](nowhere.md)' >"$copy/a.md"
verdict "a test that is not there would be seen" "$([ -n "$(missing_tests "$copy/a.md")" ] || echo blind)"
echo '| something | here | trust us |' >>"$copy/a.md"
verdict "a row without a command would be seen" "$([ -n "$(rows_without_command "$copy/a.md")" ] || echo blind)"
verdict "a link that leads nowhere would be seen" "$([ -n "$(missing_files "$copy/a.md")" ] || echo blind)"
done_testing
