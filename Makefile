# SPDX-License-Identifier: Apache-2.0
# niddgw: make | check | demo | asan | fuzz | bench | interop | install; see README.md
BUILD ?= build
CC ?= gcc
VERSION := 0.1.0
COMMIT := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
PREFIX ?= /usr
DESTDIR ?=

# The rooms of src/ (DESIGN: rooms and flow); each .c of a room goes into one library, the programs are thin.
ROOMS := base config coap lwm2m http link link/t8 link/udp north session control
PKGS := libevent libevent_openssl openssl libconfig libcurl jansson
SIM_PKGS := libcoap-3-openssl

OPT ?= -O2
SAN ?=
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2
CPPFLAGS += -Isrc -Iinclude -D_GNU_SOURCE -DNIDDGW_VERSION='"$(VERSION)"'
CFLAGS_ALL = -std=gnu11 $(OPT) -g $(WARN) $(SAN) -fno-strict-aliasing -fno-omit-frame-pointer -fstack-protector-strong $(CFLAGS)
LDFLAGS_ALL = $(SAN) -Wl,-z,relro,-z,now $(LDFLAGS)

LIB_SRC := $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c))
LIB_OBJ := $(LIB_SRC:src/%.c=$(BUILD)/obj/%.o)
CTL_OBJ := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/ctl/*.c))
SIM_OBJ := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/sim/*.c))
MAIN_OBJ := $(BUILD)/obj/main.o
LIB := $(BUILD)/libniddgw.a

UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_REPLAY := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_LIVE := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/libfuzzer/%)
REPLAY_SRC := $(wildcard tests/replay/*.c)

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm
SIM_CFLAGS := $(shell pkg-config --cflags $(SIM_PKGS) 2>/dev/null)
SIM_LIBS := $(shell pkg-config --libs $(SIM_PKGS) 2>/dev/null)
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)

PROGRAMS := $(BUILD)/niddgwd $(BUILD)/niddgwctl $(BUILD)/niddgw-sim

.PHONY: all check asan fuzz bench demo interop install clean deps tidy format
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(if $(filter src/sim/%,$<),$(SIM_CFLAGS)) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/niddgwd: $(MAIN_OBJ) $(LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/niddgwctl: $(CTL_OBJ) $(LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/niddgw-sim: $(SIM_OBJ) $(LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(SIM_LIBS) $(PKG_LIBS)

$(BUILD)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(SIM_CFLAGS) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LIB) $(CMOCKA_LIBS) $(SIM_LIBS) $(PKG_LIBS) $(LDFLAGS_ALL)

$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/replay_main.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -o $@ $< tests/fuzz/replay_main.c $(LIB) $(PKG_LIBS) $(LDFLAGS_ALL)

$(BUILD)/replay/runner: $(REPLAY_SRC) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS_ALL) -o $@ $(REPLAY_SRC) $(LIB) $(PKG_LIBS) $(LDFLAGS_ALL)

unit: $(UNIT_BIN)
fuzz-replay: $(FUZZ_REPLAY)
replay: $(BUILD)/replay/runner

clean:
	rm -rf $(BUILD) build-asan build-fuzz

-include $(LIB_OBJ:.o=.d) $(CTL_OBJ:.o=.d) $(SIM_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(UNIT_BIN:=.d) $(FUZZ_REPLAY:=.d)
