# SPDX-License-Identifier: Apache-2.0
# niddgw: make | check | demo | asan | fuzz | bench | interop | install; README.md says more
#
# BUILD=DIR builds elsewhere. Plain make only says which packages are missing; deps, check and demo install them.
BUILD ?= build
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
VERSION := 0.1.0
# No clock that is right stands before the time of the commit.
BUILT := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))
COMMIT := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
ASAN_BUILD ?= build-asan
FUZZ_BUILD ?= build-fuzz
FUZZ_SECONDS ?= 60
# Debian's: the test modules are its packages, and another python3 may stand before it in PATH.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)

# The rooms of src/ (README: map); each .c of a room goes into one library, the programs are thin.
ROOMS := base config store coap lwm2m mirror plugin host http link link/t8 link/udp north session control
PKGS := libevent libevent_openssl openssl libconfig libcurl jansson sqlite3 libcbor expat
SIM_PKGS := libcoap-3-openssl

OPT ?= -O2
SAN ?=
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2
# A warning is an error with the compilers this tree is checked with; others may know warnings that nobody here has met, and
# sanitizers make gcc see overflows that are none.
WERROR ?= $(if $(SAN),,$(if $(filter 12 14.%,$(shell $(CC) -dumpversion 2>/dev/null)),-Werror))
PLUGIN_DIR := $(PREFIX)/lib/niddgw/plugins
LIBEXEC_DIR := $(PREFIX)/libexec/niddgw
CPPFLAGS += -Isrc -Iinclude -D_GNU_SOURCE -DNIDDGW_VERSION='"$(VERSION)"' -DNIDDGW_PLUGIN_DIR='"$(PLUGIN_DIR)"' -DNIDDGW_LIBEXEC_DIR='"$(LIBEXEC_DIR)"'
CFLAGS_ALL = -std=gnu11 $(OPT) -g $(WARN) $(WERROR) $(SAN) -fno-strict-aliasing -fno-omit-frame-pointer -fstack-protector-strong $(CFLAGS)
LDFLAGS_ALL = $(SAN) -Wl,-z,relro,-z,now $(LDFLAGS)

# What wires the rooms stands in src/ itself. A build of some rooms only (make ROOMS="base coap" FILE) goes without.
WIRING_SRC := $(if $(filter file,$(origin ROOMS)),$(filter-out src/main.c,$(sort $(wildcard src/*.c))))
LIB_SRC := $(filter-out src/host/main.c,$(foreach r,$(ROOMS),$(sort $(wildcard src/$(r)/*.c)))) $(WIRING_SRC)
CTL_SRC := $(sort $(wildcard src/ctl/*.c))
SIM_SRC := $(sort $(wildcard src/sim/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAY_SRC := $(sort $(wildcard tests/replay/*.c))

LIB_OBJ := $(LIB_SRC:src/%.c=$(BUILD)/obj/%.o)
CTL_OBJ := $(CTL_SRC:src/%.c=$(BUILD)/obj/%.o)
SIM_OBJ := $(SIM_SRC:src/%.c=$(BUILD)/obj/%.o)
MAIN_OBJ := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/*.c))
REPLAY_OBJ := $(REPLAY_SRC:tests/%.c=$(BUILD)/obj/tests/%.o)
LIB := $(BUILD)/libniddgw.a

UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_REPLAY := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_LIVE := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/libfuzzer/%)
REPLAY_BIN := $(if $(REPLAY_SRC),$(BUILD)/replay/runner)
# Definitions of objects, compiled into the table that the daemon reads.
OBJECT_DIRS := src/lwm2m/objects/history src/lwm2m/objects
OBJECT_XML := $(wildcard $(OBJECT_DIRS:=/*.xml))
# One empty file per source that clang finds nothing in.
CLANG_OK := $(patsubst %.c,$(BUILD)/clang/%.ok,$(LIB_SRC) $(CTL_SRC) $(SIM_SRC) $(wildcard src/*.c) $(UNIT_SRC) $(FUZZ_SRC) $(REPLAY_SRC) \
	tests/fuzz/replay_main.c tests/bench/state.c tests/bench/decode.c tests/bench/far.c tests/bench/far_dtls.c tests/tools/decode.c src/lwm2m/compile/main.c src/host/main.c \
	$(wildcard plugins/jsonl/*.c plugins/mqtt/*.c plugins/sample/*.c plugins/sparkplug/*.c tests/plugins/*.c))

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm
SIM_CFLAGS := $(shell pkg-config --cflags $(SIM_PKGS) 2>/dev/null)
SIM_LIBS := $(shell pkg-config --libs $(SIM_PKGS) 2>/dev/null)
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)

PROGRAMS := $(BUILD)/niddgwd $(BUILD)/niddgwctl $(BUILD)/niddgw-sim $(BUILD)/niddgw-plugin-host
TEST_PROGRAMS = $(UNIT_BIN) $(FUZZ_REPLAY) $(REPLAY_BIN) $(BUILD)/tools/decode

# Plug-ins see plugin.h and their own libraries. NAME: sources in plugins/NAME; libraries by pkg-config in PLUGIN_PKGS_NAME, sources
# that it shares with another one in PLUGIN_SRC_NAME.
PLUGINS := jsonl mqtt sparkplug
PLUGIN_PKGS_mqtt := libmosquitto openssl jansson
PLUGIN_PKGS_sparkplug := libmosquitto openssl jansson libprotobuf-c
PLUGIN_SRC_sparkplug := $(addprefix plugins/mqtt/,broker.c settings.c tls.c topic.c)
PLUGIN_BIN := $(PLUGINS:%=$(BUILD)/plugins/%.so)
# Those that misbehave, and the sample as C and as C++; only tests load them.
TEST_PLUGIN_BIN := $(patsubst tests/plugins/%.c,$(BUILD)/tests/plugins/%.so,$(sort $(wildcard tests/plugins/*.c)))

.PHONY: all need deps unit fuzz-replay fuzz-live replay tests warnings check check-asan asan fuzz interop endure bench demo install tidy tidy-need format defaults clean FORCE
.DELETE_ON_ERROR:

# One short line per file; V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)'; )
.SECONDARY:

all: $(PROGRAMS) $(PLUGIN_BIN) $(BUILD)/objects.tbl $(BUILD)/objects-licences.txt

need:
	@tests/tools/deps.sh need build

deps:
	@tests/tools/deps.sh install check

# ---- building ----

$(BUILD)/obj/%.o: src/%.c | need
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(if $(filter src/sim/%,$<),$(SIM_CFLAGS)) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/obj/tests/%.o: tests/%.c | need
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/obj/north/secure.o: CPPFLAGS += $(if $(BUILT),-DNIDDGW_BUILT=$(BUILT))

# The commit is in one object only, which is made again when it changes.
$(BUILD)/obj/control/version.o: CPPFLAGS += -DNIDDGW_COMMIT='"$(COMMIT)"'
$(BUILD)/obj/control/version.o: $(BUILD)/commit
$(BUILD)/commit: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' >$@

$(BUILD)/obj/control/page.o: $(wildcard src/control/page/*)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR  $@)$(AR) rcs $@ $^

# Who loads plug-ins offers them the functions of plugin.h and nothing else; the program itself calls none of these.
EXPORTS := src/host/exports.ld
EXPORT_FLAGS := -Wl,--dynamic-list=$(EXPORTS)
API_OBJ := $(BUILD)/obj/host/api.o $(BUILD)/obj/host/record.o
$(BUILD)/niddgwd: $(MAIN_OBJ) $(API_OBJ) $(LIB) $(EXPORTS)
	$(call say,LD  $@)$(CC) $(LDFLAGS_ALL) $(EXPORT_FLAGS) -o $@ $(filter %.o %.a,$^) $(PKG_LIBS)

$(BUILD)/niddgw-plugin-host: $(BUILD)/obj/host/main.o $(API_OBJ) $(LIB) $(EXPORTS)
	$(call say,LD  $@)$(CC) $(LDFLAGS_ALL) $(EXPORT_FLAGS) -o $@ $(filter %.o %.a,$^) -ldl -lm

$(BUILD)/niddgwctl: $(CTL_OBJ) $(LIB)
	$(call say,LD  $@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/niddgw-sim: $(SIM_OBJ) $(LIB)
	$(call say,LD  $@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(SIM_LIBS) $(PKG_LIBS)

PLUGIN_CPPFLAGS = -Iinclude -D_GNU_SOURCE -DNIDDGW_VERSION='"$(VERSION)"'
PLUGIN_CFLAGS = $(CFLAGS_ALL) -fPIC -fvisibility=hidden

define PLUGIN_RULES
$(BUILD)/obj/plugins/$(1)/%.o: plugins/$(1)/%.c | need
	@mkdir -p $$(@D)
	$$(call say,CC  $$@)$$(CC) $$(PLUGIN_CPPFLAGS) $$(CPPFLAGS_PLUGIN) $$(shell pkg-config --cflags $$(PLUGIN_PKGS_$(1)) 2>/dev/null) $$(PLUGIN_CFLAGS) -MMD -MP -c -o $$@ $$<

$(BUILD)/plugins/$(1).so: $(patsubst plugins/%.c,$(BUILD)/obj/plugins/%.o,$(sort $(wildcard plugins/$(1)/*.c)) $(PLUGIN_SRC_$(1)))
	@mkdir -p $$(@D)
	$$(call say,LD  $$@)$$(CC) $$(LDFLAGS_ALL) -shared -o $$@ $$^ $$(if $$(PLUGIN_PKGS_$(1)),$$(shell pkg-config --libs $$(PLUGIN_PKGS_$(1)))) -lpthread -lm
endef
$(foreach p,$(PLUGINS),$(eval $(call PLUGIN_RULES,$(p))))

# Payloads of Sparkplug B are read and written by what protoc-c makes of their description.
SPB := $(BUILD)/gen/sparkplug.pb-c
$(SPB).c: plugins/sparkplug/sparkplug.proto | need
	@mkdir -p $(@D)
	$(call say,GEN $@)protoc-c -Iplugins/sparkplug --c_out=$(@D) sparkplug.proto
$(SPB).h: $(SPB).c
$(BUILD)/obj/plugins/sparkplug/sparkplug.pb-c.o: $(SPB).c
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(PLUGIN_CFLAGS) -c -o $@ $<
$(patsubst plugins/%.c,$(BUILD)/obj/plugins/%.o,$(wildcard plugins/sparkplug/*.c)): CPPFLAGS_PLUGIN := -I$(BUILD)/gen
$(patsubst plugins/%.c,$(BUILD)/obj/plugins/%.o,$(wildcard plugins/sparkplug/*.c)): $(SPB).h
$(BUILD)/plugins/sparkplug.so: $(BUILD)/obj/plugins/sparkplug/sparkplug.pb-c.o

$(BUILD)/tests/plugins/%.so: tests/plugins/%.c include/niddgw/plugin.h
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(PLUGIN_CPPFLAGS) $(PLUGIN_CFLAGS) -shared -o $@ $<

# Only the table is installed; what makes it stays here.
$(BUILD)/objects-compile: $(BUILD)/obj/lwm2m/compile/main.o $(LIB)
	$(call say,LD  $@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/objects.tbl: $(BUILD)/objects-compile $(OBJECT_XML)
	$(call say,TBL $@)$(BUILD)/objects-compile $@ $(OBJECT_DIRS)

$(BUILD)/objects-licences.txt: src/lwm2m/compile/notices.awk $(OBJECT_XML)
	@mkdir -p $(@D)
	$(call say,TXT $@)awk -f $^ >$@

# Tests of the two other programs link their objects too, all but the one with main().
# Parts of plug-ins that need neither a host nor a broker.
PLUGIN_UNIT_OBJ := $(patsubst %,$(BUILD)/obj/plugins/mqtt/%.o,spool topic)
UNIT_EXTRA = $(if $(filter $(BUILD)/unit/ctl/%,$@),$(filter-out %/ctl/main.o,$(CTL_OBJ))) \
	$(if $(filter $(BUILD)/unit/sim/%,$@),$(filter-out %/sim/main.o,$(SIM_OBJ))) \
	$(if $(filter $(BUILD)/unit/plugin/%,$@),$(API_OBJ) $(EXPORT_FLAGS)) \
	$(if $(filter $(BUILD)/unit/plugins/%,$@),$(PLUGIN_UNIT_OBJ))
$(filter $(BUILD)/unit/plugins/%,$(UNIT_BIN)): $(PLUGIN_UNIT_OBJ)
$(filter $(BUILD)/unit/ctl/%,$(UNIT_BIN)): $(CTL_OBJ)
$(filter $(BUILD)/unit/plugin/%,$(UNIT_BIN)): $(API_OBJ) | $(BUILD)/niddgw-plugin-host $(PLUGIN_BIN) $(TEST_PLUGIN_BIN)
$(filter $(BUILD)/unit/sim/%,$(UNIT_BIN)): $(SIM_OBJ)

$(BUILD)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(SIM_CFLAGS) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(UNIT_EXTRA) $(LIB) $(CMOCKA_LIBS) \
		$(SIM_LIBS) $(PKG_LIBS) $(LDFLAGS_ALL)

# The reader of niddgwctl is no part of the library.
FUZZ_EXTRA = $(if $(filter %/fuzz_csv,$@),$(BUILD)/obj/ctl/csv.o) $(if $(filter %/fuzz_topic,$@),$(BUILD)/obj/plugins/mqtt/topic.o)
$(BUILD)/fuzz/fuzz_csv $(BUILD)/libfuzzer/fuzz_csv: $(BUILD)/obj/ctl/csv.o
$(BUILD)/fuzz/fuzz_topic $(BUILD)/libfuzzer/fuzz_topic: $(BUILD)/obj/plugins/mqtt/topic.o

# The replaying main is an object of its own: two sources in one command would fight over one dependency file.
$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/obj/tests/fuzz/replay_main.o $(LIB)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(CFLAGS_ALL) -Wno-missing-prototypes -MMD -MP -MF $@.d -o $@ $< \
		$(BUILD)/obj/tests/fuzz/replay_main.o $(FUZZ_EXTRA) $(LIB) $(PKG_LIBS) $(LDFLAGS_ALL)

$(BUILD)/libfuzzer/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(CFLAGS_ALL) -Wno-missing-prototypes -MMD -MP -MF $@.d -o $@ $< $(FUZZ_EXTRA) $(LIB) $(PKG_LIBS) \
		-fsanitize=fuzzer $(LDFLAGS_ALL)

# Programs that tests of other languages ask.
$(BUILD)/tools/%: tests/tools/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(LIB) $(PKG_LIBS) $(LDFLAGS_ALL)

# Writes and reads what a restart is measured with.
$(BUILD)/bench/%: tests/bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(LIB) $(PKG_LIBS) $(LDFLAGS_ALL)

$(BUILD)/replay/runner: $(REPLAY_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/clang/%.ok: %.c | need
	@mkdir -p $(@D)
	$(call say,CLANG $<)clang $(CPPFLAGS) -Itests $(if $(filter plugins/sparkplug/%,$<),-I$(BUILD)/gen) $(PKG_CFLAGS) $(SIM_CFLAGS) -std=gnu11 $(WARN) $(if $(filter tests/fuzz/%,$<),-Wno-missing-prototypes) -Werror \
		-fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ $(if $(filter src/control/version.c,$<),-DNIDDGW_COMMIT='""') $<
	@touch $@

$(patsubst %.c,$(BUILD)/clang/%.ok,$(wildcard plugins/sparkplug/*.c)): $(SPB).h

unit: $(UNIT_BIN)
fuzz-replay: $(FUZZ_REPLAY)
fuzz-live: $(FUZZ_LIVE)
replay: $(REPLAY_BIN)
tests: all $(TEST_PROGRAMS) $(TEST_PLUGIN_BIN)
warnings: $(CLANG_OK)

# ---- checking; each of these sets up what it needs, then starts make again with everything found ----

# On all processors, unless make was told how many jobs.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

check: deps
	+@$(MAKE) --no-print-directory $(JOBS) tests warnings
	@$(PYTHON) tests/tools/check.py --build $(BUILD) $(CHECK_ARGS)

asan:
	+@$(MAKE) --no-print-directory BUILD=$(ASAN_BUILD) SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" OPT=-O1 all

check-asan: deps
	+@$(MAKE) --no-print-directory $(JOBS) BUILD=$(ASAN_BUILD) SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" OPT=-O1 tests
	@$(PYTHON) tests/tools/check.py --build $(ASAN_BUILD) --slow 4 $(CHECK_ARGS)

fuzz: deps
	+@$(MAKE) --no-print-directory $(JOBS) BUILD=$(FUZZ_BUILD) CC=clang SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
		OPT=-O1 fuzz-live
	@tests/tools/fuzz.sh $(FUZZ_BUILD) $(FUZZ_SECONDS)

interop: deps
	+@$(MAKE) --no-print-directory $(JOBS) all
	@NIDDGW_BUILD=$(abspath $(BUILD)) tests/tools/interop.sh

# Every unit exactly once: random kills, each step of the journal, power cuts, full disks, servers that are gone or forget; then a soak.
endure: deps
	+@$(MAKE) --no-print-directory $(JOBS) all
	@NIDDGW_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/ledger/ledger.py --kills 200 --failpoints 1 --cuts 20 --full 2 --outages 3 --doubts 3 --reach $(ENDURE_ARGS)
	@NIDDGW_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/ledger/ledger.py --devices 2000 --rate 800 --soak 4 --units 15000

bench:
	@tests/tools/deps.sh install bench
	+@$(MAKE) --no-print-directory all $(BUILD)/bench/state $(BUILD)/bench/decode $(BUILD)/bench/far $(BUILD)/bench/far_dtls $(BUILD)/tests/plugins/bad.so
	@NIDDGW_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/bench.py $(BENCH_ARGS)

demo: deps
	+@$(MAKE) --no-print-directory $(JOBS) all
	@NIDDGW_BUILD=$(abspath $(BUILD)) tests/tools/demo.sh

# One empty file per source that clang-tidy finds nothing in; any header may change what it finds.
TIDY_OK := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(LIB_SRC) $(CTL_SRC) $(SIM_SRC) $(wildcard src/*.c))
tidy: $(TIDY_OK)

$(BUILD)/tidy/%.ok: %.c .clang-tidy $(wildcard src/*.h src/*/*.h src/*/*/*.h) | tidy-need
	@mkdir -p $(@D)
	$(call say,TIDY $<)clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) $(PKG_CFLAGS) $(SIM_CFLAGS) -std=gnu11 -DNIDDGW_COMMIT='""' 2>$@.err || \
		{ cat $@.err; exit 1; }
	@rm -f $@.err
	@touch $@

tidy-need:
	@tests/tools/deps.sh need tidy

format:
	@tests/tools/deps.sh need tidy
	clang-format -i $(LIB_SRC) $(CTL_SRC) $(SIM_SRC) src/main.c $(UNIT_SRC) $(FUZZ_SRC) $(REPLAY_SRC) tests/fuzz/replay_main.c

# What is printed from the tables of keys; a test holds both against the program.
defaults: $(BUILD)/niddgwd $(BUILD)/niddgw-plugin-host $(PLUGIN_BIN)
	$(BUILD)/niddgwd --print-defaults >etc/niddgw.conf
	$(PYTHON) packaging/man/conf_page.py <etc/niddgw.conf >packaging/man/niddgw.conf.5

# ---- installing ----

# A configuration that is there already is the operator's.
install: all
	install -d -m 0755 $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/niddgw $(DESTDIR)$(SYSCONFDIR)/niddgw $(DESTDIR)$(SYSCONFDIR)/niddgw/conf.d \
		$(DESTDIR)$(SYSCONFDIR)/niddgw/devices.d $(DESTDIR)$(SYSCONFDIR)/niddgw/objects.d \
		$(DESTDIR)$(LIBEXEC_DIR) $(DESTDIR)$(PLUGIN_DIR) $(DESTDIR)$(PREFIX)/include/niddgw $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 0755 $(BUILD)/niddgwd $(DESTDIR)$(PREFIX)/sbin/niddgwd
	install -m 0755 $(BUILD)/niddgwctl $(BUILD)/niddgw-sim $(DESTDIR)$(PREFIX)/bin/
	install -m 0755 $(BUILD)/niddgw-plugin-host $(DESTDIR)$(LIBEXEC_DIR)/
	install -m 0644 $(PLUGIN_BIN) $(DESTDIR)$(PLUGIN_DIR)/
	install -m 0644 include/niddgw/plugin.h $(DESTDIR)$(PREFIX)/include/niddgw/plugin.h
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@PLUGIN_DIR@|$(PLUGIN_DIR)|' packaging/niddgw-plugin.pc.in \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/niddgw-plugin.pc
	install -m 0644 $(BUILD)/objects.tbl $(DESTDIR)$(PREFIX)/share/niddgw/objects.tbl
	install -D -m 0644 $(BUILD)/objects-licences.txt $(DESTDIR)$(PREFIX)/share/doc/niddgw/objects-licences.txt
	install -m 0644 packaging/man/niddgwctl.1 packaging/man/niddgw-sim.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 0644 packaging/man/niddgw.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 0644 packaging/man/niddgwd.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	test -e $(DESTDIR)$(SYSCONFDIR)/niddgw/niddgw.conf || install -m 0644 etc/niddgw.conf $(DESTDIR)$(SYSCONFDIR)/niddgw/niddgw.conf

clean:
	rm -rf $(BUILD) $(ASAN_BUILD) $(FUZZ_BUILD)

-include $(BUILD)/obj/lwm2m/compile/main.d $(LIB_OBJ:.o=.d) $(CTL_OBJ:.o=.d) $(SIM_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(REPLAY_OBJ:.o=.d) $(BUILD)/obj/tests/fuzz/replay_main.d \
	$(patsubst plugins/%.c,$(BUILD)/obj/plugins/%.d,$(wildcard plugins/*/*.c)) $(UNIT_BIN:=.d) $(FUZZ_REPLAY:=.d) $(FUZZ_LIVE:=.d) $(CLANG_OK:.ok=.d) $(BUILD)/bench/state.d $(BUILD)/bench/decode.d $(BUILD)/bench/far.d $(BUILD)/bench/far_dtls.d $(BUILD)/tools/decode.d
