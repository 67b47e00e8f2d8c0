# tillq: make, make demo, make check, make bench, make install. Everything built goes to build/.

VERSION := 0.1.0
PREFIX  ?= /usr/local
MINUTES ?= 5
DESTDIR ?=
BUILD   ?= build
CC      ?= cc

# SANITIZE=address,undefined or SANITIZE=thread builds an instrumented copy (give it a BUILD of its own).
SANITIZE ?=
OPTIMISE ?= -O2

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wformat=2 -Wconversion -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wundef -Werror
CPPFLAGS += -D_GNU_SOURCE -DTILLQ_VERSION='"$(VERSION)"' -Isrc -Iinclude
# PLANTED=1 puts bugs in on purpose, for the simulator to find (give it a BUILD of its own).
PLANTED ?=
ifneq ($(PLANTED),)
CPPFLAGS += -DTILLQ_PLANTED
endif
CFLAGS   += -std=c11 -g $(OPTIMISE) $(WARNINGS) -fstack-protector-strong -fPIE
LDFLAGS  += -pie -Wl,-z,relro,-z,now
ifeq ($(SANITIZE),)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else
CFLAGS   += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS  += -fsanitize=$(SANITIZE)
endif

# Counts what is run, for make coverage.
COVERAGE_CC ?= gcc
ifneq ($(COVERAGE),)
CPPFLAGS += -U_FORTIFY_SOURCE
CFLAGS   += --coverage -fprofile-update=atomic
LDFLAGS  += --coverage
endif

CORE_LIBS   := -lsqlite3 -levent_core -lssl -lcrypto -lnettle -linih -lpthread
CLI_LIBS    := -lsqlite3 -lssl -lcrypto -lnettle -lpthread
TEST_LIBS   := -lcmocka -ljansson

LAYERS      := base journal stock net
CORE_C      := $(foreach layer,$(LAYERS),$(wildcard src/$(layer)/*.c))
CLIENT_C    := $(wildcard src/client/*.c)
CLI_C       := src/tillq.c $(wildcard src/cli/*.c src/cli/load/*.c)
UNIT_C      := $(wildcard tests/unit/test_*.c)
FUZZ_C      := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_C     := $(wildcard tests/bench/*.c)
# What they share: their own, and how the load generator makes receipts and counts times.
BENCH_SHARED_C := $(wildcard tests/bench/shared/*.c) src/cli/request.c \
                  $(addprefix src/cli/load/,workload.c basket.c receipts.c names.c random.c csv.c input.c histogram.c)
SHIM_C      := $(wildcard tests/shim/*.c)
SIM_C       := $(wildcard tests/sim/*.c)

object = $(patsubst %.c,$(BUILD)/object/%.o,$(1))
CORE_A   := $(BUILD)/libtillqcore.a
CLIENT_A := $(BUILD)/libtillq.a
UNITS    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_C))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_C))
BENCHES  := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_C))
SHIMS    := $(patsubst tests/shim/%.c,$(BUILD)/shim/%.so,$(SHIM_C))

# Debian's names. What runs needs the first list, what checks needs both.
DEPS       := gcc make libc6-dev libsqlite3-dev libevent-dev libssl-dev nettle-dev libinih-dev python3 xz-utils
DEPS_CHECK := $(DEPS) clang clang-format libcmocka-dev libjansson-dev pkg-config systemd strace git openssl \
              e2fsprogs mount util-linux

.SECONDARY: # keep the tests' objects
.PHONY: sim sim-long sim-planted all programs tests benches fuzzers fuzz faults coverage deps deps-check check torture bench demo install uninstall clean
all: programs
programs: $(BUILD)/tillqd $(BUILD)/tillq
tests: programs $(UNITS) $(SHIMS)
benches: programs $(BENCHES) $(SHIMS)

fuzzers: $(FUZZERS)

# A till's program may be a shared library.
$(call object,$(CLIENT_C)): CFLAGS += -fPIC

# V=1 shows the commands themselves.
Q   := $(if $(V),,@)
say  = @$(if $(V),:,$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo "$(1) $@"))

$(BUILD)/object/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(CORE_A): $(call object,$(CORE_C))
	@rm -f $@
	$(call say,ar)
	$(Q)$(AR) rcs $@ $^

$(CLIENT_A): $(call object,$(CLIENT_C))
	@rm -f $@
	$(call say,ar)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tillqd: $(call object,src/tillqd.c) $(CORE_A)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)

$(BUILD)/tillq: $(call object,$(CLI_C)) $(CLIENT_A) $(CORE_A)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

# Every allocation of ours can be made to fail there (tests/unit/support_fault.h).
$(BUILD)/unit/test_fault_%: LDFLAGS += $(foreach name,malloc calloc realloc,-Wl,--wrap=$(name))
$(BUILD)/unit/%: $(BUILD)/object/tests/unit/%.o $(CLIENT_A) $(CORE_A)
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS) $(TEST_LIBS)

# Only for a build with SANITIZE=fuzzer-no-link,… and clang: see fuzz.
$(call object,$(FUZZ_C)): CPPFLAGS += -Itests/unit
$(BUILD)/fuzz/%: $(BUILD)/object/tests/fuzz/%.o $(CORE_A)
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(CORE_LIBS) $(TEST_LIBS)

$(BUILD)/sim: $(call object,$(SIM_C)) $(CORE_A)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)

$(BUILD)/bench/%: $(BUILD)/object/tests/bench/%.o $(call object,$(BENCH_SHARED_C)) $(CLIENT_A) $(CORE_A)
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)

# LD_PRELOAD shims for the black-box tests; never instrumented, they load into whatever is under test.
$(BUILD)/shim/%.so: tests/shim/%.c Makefile
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 -g -O2 $(WARNINGS) -shared -fPIC -o $@ $< -ldl

# A minute of simulated shops; `make sim-long OPERATIONS=n` runs as long as that takes. A breach is printed
# with the line that replays it.
OPERATIONS ?= 10000000
SIM_SECONDS ?= 60
sim: deps
	@$(MAKE) --no-print-directory $(BUILD)/sim
	$(BUILD)/sim --seconds $(SIM_SECONDS)

sim-long: deps
	@$(MAKE) --no-print-directory $(BUILD)/sim
	$(BUILD)/sim --operations $(OPERATIONS)

# Bugs put in on purpose: each must be found within the seeds stated.
sim-planted: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/planted PLANTED=1 $(BUILD)/planted/sim
	tests/sim/planted $(BUILD)/planted/sim

deps:
	.ci/deps $(DEPS)

deps-check:
	.ci/deps $(DEPS_CHECK)

check: deps-check
	tests/check

# The daemon under kills, full disks, power cuts of a file system and the like, MINUTES long; SEED=n
# draws the same faults again, ROOM=loop, memory or plain says on what disk.
torture: deps-check
	$(MAKE) tests
	tests/torture/torture --build $(BUILD) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(ROOM),--room $(ROOM))

# Plays tests/fuzz/corpus and then makes up inputs, SECONDS a target (60), with all sanitizers.
FUZZ_CC ?= clang
fuzz: deps-check
	$(MAKE) CC="$(FUZZ_CC)" BUILD=build/fuzz SANITIZE=fuzzer-no-link,address,undefined OPTIMISE=-O1 fuzzers
	tests/fuzz/run --build build/fuzz --seconds $(or $(SECONDS),60)

# Which lines and branches of src/journal and src/stock the tests run; what is left goes to
# build/coverage/uncovered. Not optimised: an optimiser makes and removes branches.
coverage: deps-check
	rm -rf build/coverage
	$(MAKE) CC="$(COVERAGE_CC)" BUILD=build/coverage COVERAGE=1 OPTIMISE=-O0 tests build/coverage/sim
	tests/run --build build/coverage
	build/coverage/sim --seconds 20
	tests/coverage/report --build build/coverage --uncovered >build/coverage/uncovered
	tests/coverage/report --build build/coverage

# Every call of memory and of the system failing in turn, each single one, under the sanitizers.
faults: deps-check
	$(MAKE) BUILD=build/asan SANITIZE=address,undefined OPTIMISE=-O1 tests
	for test in build/asan/unit/test_fault_*; do FAULTS_STRIDE=1 $$test || exit 1; done

# Measures on a quiet machine for a quarter of an hour and writes docs/benchmarks.md; QUICK=1: a minute.
bench: deps
	$(MAKE) benches
	tests/bench/bench --build $(BUILD) $(if $(QUICK),--quick)

demo: deps
	@$(MAKE) --no-print-directory programs
	@tests/demo/demo --build $(BUILD)

# The configuration is the shop's: it is never overwritten and never removed, and so is the data.
BIN     := $(DESTDIR)$(PREFIX)/bin
LIB     := $(DESTDIR)$(PREFIX)/lib
INCLUDE := $(DESTDIR)$(PREFIX)/include/tillq
DOC     := $(DESTDIR)$(PREFIX)/share/doc/tillq
ETC     := $(DESTDIR)/etc/tillq
INSTALLED := $(BIN)/tillqd $(BIN)/tillq $(LIB)/libtillq.a $(LIB)/pkgconfig/tillq.pc $(INCLUDE)/client.h \
             $(INCLUDE)/client_tls.h $(LIB)/systemd/system/tillqd.service $(LIB)/systemd/system/tillqd.socket \
             $(LIB)/sysusers.d/tillq.conf $(DOC)/protocol.md

install: programs $(CLIENT_A)
	install -d $(sort $(dir $(INSTALLED))) $(ETC)
	install -m 755 $(BUILD)/tillqd $(BUILD)/tillq $(BIN)
	install -m 644 $(CLIENT_A) $(LIB)
	install -m 644 include/tillq/client.h include/tillq/client_tls.h $(INCLUDE)
	install -m 644 docs/protocol.md $(DOC)
	install -m 644 systemd/tillqd.socket $(LIB)/systemd/system
	install -m 644 systemd/tillq.sysusers $(LIB)/sysusers.d/tillq.conf
	sed 's|/usr/local|$(PREFIX)|g' systemd/tillqd.service >$(LIB)/systemd/system/tillqd.service
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' src/client/tillq.pc.in >$(LIB)/pkgconfig/tillq.pc
	chmod 644 $(LIB)/systemd/system/tillqd.service $(LIB)/pkgconfig/tillq.pc
	[ -e $(ETC)/tillqd.conf ] || install -m 644 conf/tillqd.conf $(ETC)
	@[ -n "$(DESTDIR)" ] || echo "Now: systemd-sysusers; systemctl daemon-reload; systemctl enable --now tillqd"

uninstall:
	rm -f $(INSTALLED)
	-rmdir $(INCLUDE) $(DOC)
	@echo "Kept: $(ETC)/tillqd.conf and the data"

clean:
	rm -rf build

-include $(shell find $(BUILD)/object -name '*.d' 2>/dev/null)
