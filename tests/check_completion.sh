#!/bin/bash
# check_completion.sh - what bash and zsh make of a line with `etherconnctl completion`.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
ctl=$build/etherconnctl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/say.sh
. "$top/tests/say.sh"

# ---- bash: the function is called as readline calls it ----

"$ctl" completion bash >"$work/bash"
verdict "bash: shellcheck" "$(shellcheck -S warning "$work/bash" 2>&1)"
# shellcheck disable=SC1091
. "$work/bash"
verdict "bash: it is for etherconnctl" \
	"$(complete -p etherconnctl | grep -v 'complete -F _etherconnctl etherconnctl')"

# completed LINE: the words it may become, sorted, on one line
completed() {
	# shellcheck disable=SC2034
	COMP_LINE=$1 COMP_POINT=${#1}
	COMPREPLY=()
	_etherconnctl
	printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' '
}
becomes() { # LINE WORDS
	local got
	got=$(completed "$1")
	verdict "bash: $1" "$([ "$got" = "$2" ] || echo "\"$got\", not \"$2\"")"
}
has() { # LINE WORD
	local got
	got=" $(completed "$1") "
	verdict "bash: $1 ... $2" "$([[ $got == *" $2 "* ]] || echo "only $got")"
}
interfaces=$(printf '%s\n' /sys/class/net/* | sed 's|.*/||' | sort | paste -sd' ')
commands=$("$ctl" --help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | sort | paste -sd' ')

becomes "etherconnctl " "$commands"
becomes "etherconnctl stat" "stats status"
becomes "etherconnctl -j sho" "show"
becomes "etherconnctl show cl" "clients"
becomes "etherconnctl show endpoints p" "pid port"
becomes "etherconnctl sh ep p" "pid port"
becomes "etherconnctl show ep mac 02:00:00:00:00:01 vl" "vlan"
becomes "etherconnctl show ep mac " ""
becomes "etherconnctl show ep interface " "$interfaces"
becomes "etherconnctl -i " "$interfaces"
becomes "etherconnctl --interface " "$interfaces"
becomes "etherconnctl stats -i " ""
becomes "etherconnctl -i eth1 mon" "monitor"
becomes "etherconnctl stats -i 1 --inter" "--interface --interval"
becomes "etherconnctl watch -c 3 sho" "show"
becomes "etherconnctl watch show drops u" "uid"
becomes "etherconnctl udp mac 02:00:00:00:00:01 g" "gateway"
becomes "etherconnctl log " "debug error info warning"
becomes "etherconnctl policy " "test"
becomes "etherconnctl completion " "bash zsh"
becomes "etherconnctl nonsense " ""
becomes "etherconnctl -s $work/ba" "$work/bash"
becomes "etherconnctl capture -w $work/ba" "$work/bash"
becomes "etherconnctl capture -s " ""
# every option that a command's own help has
for command in $commands; do
	for option in $("$ctl" "$command" --help | grep -oE '^  -[a-zA-Z], --[a-z]+' | tr -d ,); do
		has "etherconnctl $command -" "$option"
	done
done

# ---- zsh: a person types on a pseudo-terminal ----

"$ctl" completion zsh >"$work/_etherconnctl"
if ! command -v zsh >/dev/null; then
	echo "SKIP: zsh is not installed"
	done_testing
fi
verdict "zsh: it is well formed" "$(zsh -n "$work/_etherconnctl" 2>&1)"
cat >"$work/type.py" <<'PYTHON'
"""type.py FOLDER: type lines with tabs into zsh, and compare what it then runs."""
import os, pty, select, sys, fcntl, termios, struct

lines = [  # what is typed, what is run
    ("mon\t", "monitor"),
    ("-j sho\tcl\t", "-j show clients"),
    ("show endpoints gat\tvl\t100", "show endpoints gatvl100"),
    ("sh ep mac 02:00:00:00:00:01 vl\t5", "sh ep mac 02:00:00:00:00:01 vlan 5"),
    ("udp --lis\tmac 02:00:00:00:00:01 gate\t", "udp --listen mac 02:00:00:00:00:01 gateway"),
    ("watch --cou\t3 sho\tdr\t", "watch --count 3 show drops"),
    ("capture --wri\t" + sys.argv[1] + "/typ\t", "capture --write " + sys.argv[1] + "/type.py"),
    ("log w\t", "log warning"),
    ("show relays interface l\t", "show relays interface lo"),
]
start = """PROMPT=; fpath=(%s $fpath); autoload -U compinit; compinit -u -D
setopt no_beep; LISTMAX=1000; zstyle ':completion:*' verbose yes
etherconnctl() { print -r -- "<<$*>>" }; etherconnctl ready
""" % sys.argv[1]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp("zsh", ["zsh", "-f", "-i"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
seen = ""

def wait_for(text):
    """Everything up to and with the text."""
    global seen
    while text not in seen:
        if not select.select([fd], [], [], 20)[0]:
            return None
        try:
            seen += os.read(fd, 65536).decode(errors="replace")
        except OSError:
            return None
    at = seen.index(text) + len(text)
    found, seen = seen[:at], seen[at:]
    return found

def verdict(name, good, what):
    print("%s - zsh: %s%s" % ("ok" if good else "not ok", name.replace("\t", "<tab>"),
                              "" if good else ": " + repr(what)))
    return good

os.write(fd, start.encode())
if wait_for("<<ready>>") is None:
    sys.exit(not verdict("begins", False, seen))
good = True
for typed, run in lines:
    os.write(fd, ("etherconnctl " + typed + "\r").encode())
    got = wait_for(">>")
    ran = got[got.rindex("<<") + 2:-2].strip() if got else seen
    good &= verdict(typed, ran == run, ran)
os.write(fd, b"etherconnctl \t")
shown = wait_for("the busiest first, on a screen")
good &= verdict("commands are listed with what they do", shown is not None, seen)
os.close(fd)
sys.exit(not good)
PYTHON
python3 "$work/type.py" "$work" || failures=$((failures + 1))
done_testing
