# etherconnd.  `make` builds into build/.
#
#   make                    daemon, library, etherconnctl, examples
#   sudo make demo          a real DHCP lease on VLAN 100 through the daemon
#   sudo make check         every test; SAN=address or SAN=thread under sanitizers
#   make fuzz               every parser under a fuzzer, FUZZ_SECONDS=60 each
#   make soak               hostile and killed clients for a long time
#   make bench              figures, side by side with what people use today
#   sudo make deb           Debian packages in build/deb, installed and purged in a throw-away root
#   make install            DESTDIR and PREFIX are respected; make uninstall undoes it
#   make lint               clang-format, clang-tidy, cppcheck, shellcheck
#   make help               these lines

VERSION := 0.1.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
CC ?= gcc
SAN ?=
WERROR ?=
V ?=

# One build folder for each compiler and sanitizer, so they never mix.
variant := $(if $(filter-out gcc cc,$(notdir $(CC))),$(notdir $(CC)))$(SAN)
B := build$(if $(variant),/$(variant))

CFLAGS ?= -O2 -g
cflags := -std=gnu11 -I. -D_GNU_SOURCE -DEC_VERSION='"$(VERSION)"' -fvisibility=hidden -fPIC \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
	-Wwrite-strings -Wno-missing-field-initializers $(if $(WERROR),-Werror)
ifeq ($(SAN),address)
cflags += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ldflags += -fsanitize=address,undefined
else ifeq ($(SAN),thread)
# The rings' fences stand between processes, where the thread sanitizer sees nothing anyway.
cflags += -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan)
ldflags += -fsanitize=thread
else ifeq ($(SAN),fuzzer)
cflags += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -fprofile-instr-generate -fcoverage-mapping
ldflags += -fsanitize=fuzzer,address,undefined -fprofile-instr-generate
else ifneq ($(SAN),)
$(error SAN is address or thread)
else
knows = $(shell $(CC) -Werror $1 -c -x c /dev/null -o /dev/null 2>/dev/null && echo $1)
cflags += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	$(foreach flag,-fstack-clash-protection -fcf-protection=full -mbranch-protection=standard, \
		$(call knows,$(flag)))
ldflags += -Wl,-z,relro,-z,now
# the same bytes wherever it is built: no path of the build stands in them
cflags += -ffile-prefix-map='$(CURDIR)=.'
endif

proto_src := $(wildcard proto/*.c)
daemon_src := $(filter-out daemon/main.c,$(wildcard daemon/*.c))
lib_src := $(wildcard client-lib/*.c)
ctl_src := $(wildcard ctl/*.c)
# what several examples share; each other file is a program
example_src := examples/dhcp.c examples/load_client.c examples/vlan_set.c
examples := $(patsubst examples/%.c,%,$(filter-out $(example_src),$(wildcard examples/*.c)))
benches := $(patsubst bench/%.c,%,$(wildcard bench/bench_*.c))
checks := $(patsubst tests/%.c,%,$(wildcard tests/check_*.c))
fuzzers := $(patsubst tests/%.c,%,$(wildcard tests/fuzz_*.c))
tools := $(patsubst tests/%.c,%,$(wildcard tests/tool_*.c))
test_src := $(filter-out tests/check_% tests/tool_% tests/fuzz_%,$(wildcard tests/*.c))
bench_src := $(filter-out bench/bench_%,$(wildcard bench/*.c))

# One short line a step; V=1 shows the commands.
Q := $(if $(V),,@)
say = @$(if $(V),:,echo '  $1 $@')

obj = $(patsubst %.c,$B/obj/%.o,$1)
daemon_libs := -lev -lpcap -lcjson -lseccomp
lib_libs := -lcjson
ctl_libs := -lpcap -lncurses -ltinfo
soname := libetherconn.so.0

programs := $B/etherconnd $B/etherconnctl $B/$(soname) $B/libetherconn.so $B/libetherconn.a
all: $(programs) $(addprefix $B/examples/,$(examples))
tests: all $(addprefix $B/tests/,$(checks) $(tools))
fuzzers: $(addprefix $B/tests/,$(fuzzers)) # with CC=clang SAN=fuzzer
benches: all $(addprefix $B/bench/,$(benches))

# The daemon is an archive and a small main, so tests and benchmarks link it.
$B/libproto.a: $(call obj,$(proto_src))
$B/libdaemon.a: $(call obj,$(daemon_src))
$B/libtest.a: $(call obj,$(test_src))
$B/libexample.a: $(call obj,$(example_src))
$B/libbench.a: $(call obj,$(bench_src))
$B/libetherconn.a: $(call obj,$(lib_src) $(proto_src))
$B/%.a:
	$(call say,AR)
	$Qrm -f $@
	$Q$(AR) rcs $@ $^

$B/etherconnd: $(call obj,daemon/main.c) $B/libdaemon.a $B/libproto.a
	$(call say,LD)
	$Q$(CC) $(cflags) $(CFLAGS) -pie $(ldflags) $(LDFLAGS) -o $@ $^ $(daemon_libs)
$B/etherconnctl: $(call obj,$(ctl_src)) $B/libetherconn.a
	$(call say,LD)
	$Q$(CC) $(cflags) $(CFLAGS) -pie $(ldflags) $(LDFLAGS) -o $@ $^ $(lib_libs) $(ctl_libs)
$B/$(soname): $(call obj,$(lib_src) $(proto_src)) client-lib/libetherconn.map
	$(call say,LD)
	$Q$(CC) $(cflags) $(CFLAGS) -shared -Wl,-soname,$(soname) \
		-Wl,--version-script,client-lib/libetherconn.map $(ldflags) $(LDFLAGS) -o $@ \
		$(filter %.o,$^) $(lib_libs)
$B/libetherconn.so: $B/$(soname)
	ln -sf $(soname) $@
$B/examples/%: $B/obj/examples/%.o $B/libexample.a $B/libetherconn.so
	@mkdir -p $(@D)
	$(call say,LD)
	$Q$(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $< $B/libexample.a -L$B -letherconn \
		$(example_libs) -Wl,-rpath,'$$ORIGIN/..'
$B/examples/ev_ping: example_libs := -lev
$B/tests/%: $B/obj/tests/%.o $B/libtest.a $B/libexample.a $B/libdaemon.a $B/libetherconn.a
	@mkdir -p $(@D)
	$(call say,LD)
	$Q$(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $^ $(daemon_libs) -lcheck -lsubunit -lm -lrt -lpthread
$B/bench/%: $B/obj/bench/%.o $B/libbench.a $B/libtest.a $B/libdaemon.a $B/libetherconn.a
	@mkdir -p $(@D)
	$(call say,LD)
	$Q$(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $^ $(daemon_libs) -lm

# Where tests find the project's texts.
$B/obj/tests/%.o: cflags += -DSOURCE_DIR='"$(CURDIR)"'
# Examples see the library as its users do: by its installed header alone.
$B/obj/examples/%.o: cflags += -Iclient-lib

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$Q$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
-include $(shell find $B/obj -name '*.d' 2>/dev/null)

# ---- what people type ----

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

deps:
	@tests/deps.sh

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all >/dev/null
	@BUILD=$(CURDIR)/$B tests/demo.sh

# T="check_ring netns/test_echo": just these
check: deps
	@tests/borrow.sh build/borrowed
	@$(MAKE) --no-print-directory -j$$(nproc) WERROR=1 tests >/dev/null
	@tests/run.sh $(CURDIR)/$B $(T)

# The hostile for minutes, ten thousand deaths instead of two hundred, a hundred million frames.
soak: deps
	@$(MAKE) --no-print-directory -j$$(nproc) WERROR=1 tests >/dev/null
	@SOAK=1 LIMIT=$${LIMIT:-7200} tests/run.sh $(CURDIR)/$B $(or $(T),netns/test_hostile check_accounting)

# FUZZ_SECONDS for each target (60)
fuzz: deps
	@tests/fuzz.sh $${FUZZ_SECONDS:-60}

bench: deps
	@$(MAKE) --no-print-directory -j$$(nproc) benches >/dev/null
	@BUILD=$(CURDIR)/$B bench/run.sh

c_files := $(wildcard proto/*.[ch] daemon/*.[ch] client-lib/*.[ch] ctl/*.[ch] examples/*.[ch] \
	tests/*.[ch] bench/*.[ch])
tidy_files := $(proto_src) $(wildcard daemon/*.c) $(lib_src) $(ctl_src) $(wildcard examples/*.c)
format:
	clang-format -i $(c_files)
lint: deps
	clang-format --dry-run -Werror $(c_files)
	printf '%s\n' $(tidy_files) | xargs -P$$(nproc) -I{} clang-tidy --quiet {} -- \
		-std=gnu11 -I. -Iclient-lib -D_GNU_SOURCE -DEC_VERSION='""' 2>/dev/null
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
		-I. -D_GNU_SOURCE proto daemon client-lib ctl examples
	shellcheck -S warning -x tests/*.sh tests/netns/*.sh bench/run.sh .ci/run packaging/*.sh docs/*.sh

# ---- install ----

pages8 := $(wildcard daemon/*.8 ctl/*.8)
pages5 := $(wildcard daemon/*.5)
pages3 := $(wildcard client-lib/*.3)
pages7 := $(wildcard proto/*.7)
to = $(DESTDIR)$(PREFIX)
# Debian's zsh looks in share/zsh/vendor-completions
zshdir ?= $(PREFIX)/share/zsh/site-functions
bashdir ?= $(PREFIX)/share/bash-completion/completions
unitdir ?= $(if $(filter /usr /,$(PREFIX)),/lib,$(PREFIX)/lib)/systemd/system

install: all
	install -d $(to)/sbin $(to)/bin $(to)/include $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 755 $B/etherconnd $(to)/sbin/
	install -m 755 $B/etherconnctl $(to)/bin/
	install -m 644 client-lib/etherconn.h $(to)/include/
	install -m 644 $B/libetherconn.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $B/$(soname) $(DESTDIR)$(LIBDIR)/$(soname)
	ln -sf $(soname) $(DESTDIR)$(LIBDIR)/libetherconn.so
	umask 022; sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
		client-lib/libetherconn.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/libetherconn.pc
	for n in 3 5 7 8; do install -d $(to)/share/man/man$$n; done
	$(if $(pages3),install -m 644 $(pages3) $(to)/share/man/man3/)
	umask 022; for page in $(pages3); do \
		for name in $$(sed -n 's/^\.Nm \(ec_[a-z0-9_]*\).*/\1/p' $$page); do \
			page3=man3/$$(basename $$page); \
			test $$page3 = man3/$$name.3 || echo ".so $$page3" >$(to)/share/man/man3/$$name.3; \
		done; \
	done
	$(if $(pages5),install -m 644 $(pages5) $(to)/share/man/man5/)
	$(if $(pages7),install -m 644 $(pages7) $(to)/share/man/man7/)
	$(if $(pages8),install -m 644 $(pages8) $(to)/share/man/man8/)
	install -d $(DESTDIR)$(bashdir) $(DESTDIR)$(zshdir)
	umask 022; $B/etherconnctl completion bash >$(DESTDIR)$(bashdir)/etherconnctl
	umask 022; $B/etherconnctl completion zsh >$(DESTDIR)$(zshdir)/_etherconnctl
	install -d $(DESTDIR)$(unitdir) $(to)/lib/sysusers.d $(to)/lib/tmpfiles.d
	umask 022; for u in etherconnd.service etherconnd@.service; do \
		sed 's|@SBINDIR@|$(PREFIX)/sbin|' systemd/$$u.in >$(DESTDIR)$(unitdir)/$$u || exit 1; done
	install -m 644 systemd/etherconnd.socket systemd/etherconnd@.socket $(DESTDIR)$(unitdir)/
	install -m 644 systemd/etherconnd.sysusers $(to)/lib/sysusers.d/etherconnd.conf
	install -m 644 systemd/etherconnd.tmpfiles $(to)/lib/tmpfiles.d/etherconnd.conf
	$(if $(DESTDIR),,$(activate))

# The files that `make install` with the same variables makes, found by making them elsewhere.
# Configuration, user and group stay; what runs goes on.
uninstall: all
	staged=$$(mktemp -d) && \
	$(MAKE) --no-print-directory -s install DESTDIR=$$staged >/dev/null && \
	(cd $$staged && find . ! -type d -printf '$(DESTDIR)/%P\n') | xargs -d '\n' rm -f && \
	(cd $$staged && find . -depth -type d -name '*etherconn*' -printf '$(DESTDIR)/%P\n') | \
		xargs -r -d '\n' rmdir --ignore-fail-on-non-empty; \
	code=$$?; rm -rf "$$staged"; exit $$code
	$(if $(DESTDIR),,$(deactivate))

# Into the running system: its user and group, its folder, its library, its units.
define activate
ldconfig
-systemd-sysusers $(to)/lib/sysusers.d/etherconnd.conf
-systemd-tmpfiles --create $(to)/lib/tmpfiles.d/etherconnd.conf
-test ! -d /run/systemd/system || systemctl daemon-reload
endef

define deactivate
ldconfig
-test ! -d /run/systemd/system || systemctl daemon-reload
endef

deb: deps
	@tests/deps.sh packaging/packages.txt
	packaging/build.sh $(VERSION) $B/deb
	packaging/test.sh $(VERSION) $B/deb
	@ls $B/deb/*.deb

# What old programs need of the library; tests/check_abi.sh compares.
abi: SHELL := /bin/bash
abi: $B/$(soname)
	. tests/abi.sh && abi_dump $< client-lib/etherconn.h >client-lib/libetherconn.abi && \
		abi_constants client-lib/etherconn.h >client-lib/libetherconn.constants

clean:
	rm -rf build

.PHONY: all tests fuzzers benches help deps demo check soak fuzz bench format lint install uninstall deb abi clean
.SECONDARY:
