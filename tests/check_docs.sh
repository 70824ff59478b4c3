#!/bin/bash
# check_docs.sh - what the documents point at is there: tests by name, and files.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0

# verdict NAME COMPLAINTS: ok if there are none.
verdict() {
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		echo "$2"
		bad=1
	fi
}

# `make check T=NAME` [test]: the test program, and the test inside.
missing_tests() {
	local name test file
	grep -hoE 'T=[a-z0-9_/]+`( \[[a-z0-9_]+\])?' "$@" | sort -u | while read -r name test; do
		name=${name#T=} name=${name%\`} test=${test//[][]/}
		file=$(ls "tests/$name.c" "tests/$name.sh" 2>/dev/null)
		if [ -z "$file" ]; then
			echo "no test $name"
		elif [ -n "$test" ] && ! grep -q "START_TEST($test)" "$file"; then
			echo "no $test in $file"
		fi
	done
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
verdict "every link of the documents leads somewhere" "$(missing_files "${documents[@]}")"
# would it notice?
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# shellcheck disable=SC2016
echo '`make check T=check_nothing` [test_of_it] and [a link](nowhere.md)' >"$copy/a.md"
verdict "a test that is not there would be seen" "$([ -n "$(missing_tests "$copy/a.md")" ] || echo blind)"
verdict "a link that leads nowhere would be seen" "$([ -n "$(missing_files "$copy/a.md")" ] || echo blind)"
exit $bad
