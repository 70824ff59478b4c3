# etherconnd.  `make` builds into build/; `make help` lists the rest.
#
#   make                    daemon, library, etherconnctl, examples
#   sudo make demo          a real DHCP lease on VLAN 100 through the daemon
#   sudo make check         every test; SAN=address or SAN=thread under sanitizers
#   make bench              figures, side by side with what people use today
#   make install            DESTDIR and PREFIX are respected
#   make lint               clang-format, clang-tidy, cppcheck, shellcheck

VERSION := 0.1.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
CC ?= gcc
SAN ?=
WERROR ?=

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
else ifneq ($(SAN),)
$(error SAN is address or thread)
else
cflags += -D_FORTIFY_SOURCE=2 -fstack-protector-strong
ldflags += -Wl,-z,relro,-z,now
endif

proto_src := $(wildcard proto/*.c)
daemon_src := $(filter-out daemon/main.c,$(wildcard daemon/*.c))
lib_src := $(wildcard client-lib/*.c)
ctl_src := $(wildcard ctl/*.c)
examples := $(patsubst examples/%.c,%,$(wildcard examples/*.c))
benches := $(patsubst bench/%.c,%,$(wildcard bench/bench_*.c))
checks := $(patsubst tests/%.c,%,$(wildcard tests/check_*.c))
tools := $(patsubst tests/%.c,%,$(wildcard tests/tool_*.c))
test_src := $(filter-out tests/check_% tests/tool_% tests/fuzz_%,$(wildcard tests/*.c))
bench_src := $(filter-out bench/bench_%,$(wildcard bench/*.c))

obj = $(patsubst %.c,$B/obj/%.o,$1)
daemon_libs := -lev -lpcap -lcjson
lib_libs := -lcjson
soname := libetherconn.so.0

programs := $B/etherconnd $B/etherconnctl $B/$(soname) $B/libetherconn.so $B/libetherconn.a
all: $(programs) $(addprefix $B/examples/,$(examples))
tests: all $(addprefix $B/tests/,$(checks) $(tools))
benches: all $(addprefix $B/bench/,$(benches))

# The daemon is an archive and a small main, so tests and benchmarks link it.
$B/libproto.a: $(call obj,$(proto_src))
$B/libdaemon.a: $(call obj,$(daemon_src))
$B/libtest.a: $(call obj,$(test_src))
$B/libbench.a: $(call obj,$(bench_src))
$B/libetherconn.a: $(call obj,$(lib_src) $(proto_src))
$B/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$B/etherconnd: $(call obj,daemon/main.c) $B/libdaemon.a $B/libproto.a
	$(CC) $(cflags) $(CFLAGS) -pie $(ldflags) $(LDFLAGS) -o $@ $^ $(daemon_libs)
$B/etherconnctl: $(call obj,$(ctl_src)) $B/libproto.a
	$(CC) $(cflags) $(CFLAGS) -pie $(ldflags) $(LDFLAGS) -o $@ $^ $(lib_libs)
$B/$(soname): $(call obj,$(lib_src) $(proto_src)) client-lib/libetherconn.map
	$(CC) $(cflags) $(CFLAGS) -shared -Wl,-soname,$(soname) \
		-Wl,--version-script,client-lib/libetherconn.map $(ldflags) $(LDFLAGS) -o $@ \
		$(filter %.o,$^) $(lib_libs)
$B/libetherconn.so: $B/$(soname)
	ln -sf $(soname) $@
$B/examples/%: $B/obj/examples/%.o $B/libetherconn.so
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $< -L$B -letherconn -Wl,-rpath,'$$ORIGIN/..'
$B/tests/%: $B/obj/tests/%.o $B/libtest.a $B/libdaemon.a $B/libetherconn.a
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $^ $(daemon_libs) -lcheck -lsubunit -lm -lrt -lpthread
$B/bench/%: $B/obj/bench/%.o $B/libbench.a $B/libtest.a $B/libdaemon.a $B/libetherconn.a
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $^ $(daemon_libs) -lm

# Examples see the library as its users do: by its installed header alone.
$B/obj/examples/%.o: cflags += -Iclient-lib

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
-include $(shell find $B/obj -name '*.d' 2>/dev/null)

clean:
	rm -rf build

.PHONY: all tests benches clean
.SECONDARY:
