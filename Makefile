# make                      build/ngx_http_envelope_module.so for Debian's nginx
# make NGINX_SRC=/path      the same against another nginx source tree
# make nginx NGINX_SRC=/path   a whole nginx: with the module as a shared
#                           object (build/nginx/dynamic) and linked in
#                           (build/nginx/static)
# make unit                 build and run the unit tests of the core
# make fuzz-programs        its fuzz targets, t/fuzz; with FUZZER=1 (and
#                           CC=clang) linked with libFuzzer
# make test                 everything, as t/run does it
# make bench                the benchmark, see bench/run --help
# make floor                the module of bench/run --floor
# make lint                 gcc -fanalyzer, clang-tidy and cppcheck
# make clean
#
# CC=clang, BUILD=dir (several builds side by side), SANITIZE=1 (address and
# undefined behaviour sanitizers in the module), FLAGS="..." (more options for
# nginx's configure), DEFINES="-D.." (constants of the module's own, such as
# NGX_HTTP_ENVELOPE_THREADS_COST=1, with which all work goes to threads).

SHELL := /bin/bash

NGINX_SRC ?= /usr/share/nginx/src
BUILD ?= build
SANITIZE ?=
FLAGS ?=
DEFINES ?=
AR ?= ar

override BUILD := $(abspath $(BUILD))
override NGINX_SRC := $(abspath $(NGINX_SRC))
HERE := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))

NAME := ngx_http_envelope_module
SRCS := $(sort $(wildcard src/core/*.c src/http/*.c))
HDRS := $(sort $(wildcard src/core/*.h src/http/*.h))

# nginx compiles with -W -Wall -Werror itself; here it is written out, so that
# it does not hang on nginx's choice.
WARN := -Wall -Wextra -Wpointer-arith -Wno-unused-parameter -Werror

SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
             -fno-omit-frame-pointer

CC_OPT := -O2 -g -fstack-protector-strong $(WARN)
LD_OPT := -Wl,-z,relro -Wl,-z,now

ifneq ($(SANITIZE),)
# no fortify: it hides what the sanitizer wants to see; nor pools of nginx,
# where it is sanitized too: each allocation is one of its own
CC_OPT := -O1 -g $(WARN) $(SAN_FLAGS) -DNGX_DEBUG_PALLOC=1
LD_OPT := $(SAN_FLAGS)
else
CC_OPT += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

CC_OPT += $(DEFINES)

# An nginx tree that is not Debian's brings no list of flags.
OWN_FLAGS := --with-compat --with-debug --with-threads --with-pcre-jit \
             --with-http_ssl_module --with-http_v2_module \
             --with-http_realip_module --with-http_auth_request_module \
             --with-http_addition_module --with-http_sub_module \
             --with-http_gunzip_module --with-http_gzip_static_module \
             --with-http_slice_module --with-http_dav_module \
             --with-http_stub_status_module

# $(call configure,DIRECTORY,OPTIONS): copy the tree, since configure writes
# into it, and configure the copy.  auto/configure is where nginx's own
# repository keeps what a release ships as configure.
define configure
	@test -d $(NGINX_SRC)/auto || { \
	    echo "$(NGINX_SRC) is no nginx source tree" \
	         "(Debian's comes with the package nginx-dev)" >&2; exit 1; }
	rm -rf $(1)
	mkdir -p $(1)
	tar -C $(NGINX_SRC) --exclude=./objs --exclude=./.git -cf - . \
	    | tar -C $(1) -xf -
	set -eu; cd $(1); \
	NGX_CONF_FLAGS=( $(OWN_FLAGS) ); \
	if [ -f conf_flags ]; then . ./conf_flags; fi; \
	script=./configure; [ -f $$script ] || script=auto/configure; \
	bash $$script "$${NGX_CONF_FLAGS[@]}" --with-cc='$(CC)' \
	    --with-cc-opt='$(CC_OPT)' --with-ld-opt='$(LD_OPT)' \
	    $(2) $(FLAGS) > configure.log 2>&1 \
	    || { tail -n 20 configure.log >&2; exit 1; }
endef

.PHONY: module tree nginx nginx-bare unit unit-objects unit-programs \
        fuzz-programs race-programs test lint bench floor clean FORCE
.DELETE_ON_ERROR:

module: $(BUILD)/$(NAME).so

# Whatever decides how the tree is configured is kept in a file that changes
# only when it does: another compiler or a new source file configures anew.
SETTINGS := $(NGINX_SRC) $(CC) $(CC_OPT) $(LD_OPT) $(FLAGS)

$(BUILD)/settings: TEXT = $(SETTINGS) $(SRCS)
$(BUILD)/unit/settings: TEXT = $(SETTINGS) $(UNIT_SAN) $(UNIT_OPT) $(FUZZ_SAN)

$(BUILD)/settings $(BUILD)/unit/settings: FORCE
	@mkdir -p $(@D)
	@echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' > $@

$(BUILD)/nginx-src/configure.log: config $(BUILD)/settings
	$(call configure,$(BUILD)/nginx-src,--add-dynamic-module=$(HERE))

# nginx's headers as they are for the module
tree: $(BUILD)/nginx-src/configure.log

$(BUILD)/$(NAME).so: $(BUILD)/nginx-src/configure.log $(SRCS) $(HDRS)
	$(MAKE) -C $(BUILD)/nginx-src -f objs/Makefile modules
	cp $(BUILD)/nginx-src/objs/$(NAME).so $@.new
	mv $@.new $@

nginx: $(BUILD)/nginx/dynamic/objs/nginx $(BUILD)/nginx/static/objs/nginx

# nginx alone, for the module as it was built by itself
nginx-bare: $(BUILD)/nginx/bare/objs/nginx

$(BUILD)/nginx/dynamic/configure.log: config $(BUILD)/settings
	$(call configure,$(BUILD)/nginx/dynamic,--add-dynamic-module=$(HERE))

$(BUILD)/nginx/static/configure.log: config $(BUILD)/settings
	$(call configure,$(BUILD)/nginx/static,--add-module=$(HERE))

# In nginx's own code an empty string may be at NULL, and is copied from there;
# and where the processor allows it, numbers are stored unaligned.
ifneq ($(SANITIZE),)
$(BUILD)/nginx/bare/configure.log: CC_OPT += -fno-sanitize=nonnull-attribute,alignment
endif

$(BUILD)/nginx/bare/configure.log: $(BUILD)/settings
	$(call configure,$(BUILD)/nginx/bare)

$(BUILD)/nginx/%/objs/nginx: $(BUILD)/nginx/%/configure.log $(SRCS) $(HDRS)
	$(MAKE) -C $(BUILD)/nginx/$* -f objs/Makefile
	@touch $@

# The core alone, against nginx's headers and t/unit/shim.c.  src/http and
# nginx's own http headers are left out of the path on purpose: the core must
# not know them.  t/unit/NAME.c is one test program; shim*.c and util_*.c
# there are linked into all of them.

UNIT := $(BUILD)/unit
UNIT_SAN ?= $(SAN_FLAGS)
UNIT_OPT ?= -O1

# libFuzzer wants to see which edges of the core an input takes
FUZZER ?=
ifneq ($(FUZZER),)
FUZZ_SAN := -fsanitize=fuzzer-no-link
FUZZ_MAIN := -fsanitize=fuzzer
else
FUZZ_MAIN := $(BUILD)/fuzz/driver.o
endif

CORE_SRC ?= $(sort $(wildcard src/core/*.c))
CORE_OBJ := $(CORE_SRC:src/core/%.c=$(UNIT)/core/%.o)
HELP_SRC := $(sort $(wildcard t/unit/shim*.c t/unit/util_*.c))
HELP_OBJ := $(HELP_SRC:t/unit/%.c=$(UNIT)/help/%.o)
TEST_SRC := $(filter-out $(HELP_SRC),$(sort $(wildcard t/unit/*.c)))
TESTS ?= $(TEST_SRC:t/unit/%.c=%)
TEST_BIN := $(TESTS:%=$(UNIT)/bin/%)

# A tree of its own, without the module: new files do not configure it anew.
UNIT_NGX := $(UNIT)/nginx
UNIT_INC := -Isrc/core -It/unit \
            -isystem $(UNIT_NGX)/src/core -isystem $(UNIT_NGX)/src/event \
            -isystem $(UNIT_NGX)/src/event/modules \
            -isystem $(UNIT_NGX)/src/os/unix -isystem $(UNIT_NGX)/objs
UNIT_CFLAGS := -g $(UNIT_OPT) $(WARN) -Wno-format-zero-length $(UNIT_SAN) \
               $(FUZZ_SAN) $(UNIT_INC) -MMD -MP
UNIT_LIBS := -lyajl -lcrypto -lz

# configure.log stands for objs/ngx_auto_config.h, which differs by compiler
UNIT_DEPS := $(UNIT_NGX)/configure.log

$(UNIT_NGX)/configure.log: $(UNIT)/settings
	$(call configure,$(UNIT_NGX))

$(UNIT)/core/%.o: src/core/%.c $(UNIT_DEPS)
	@mkdir -p $(@D); rm -f $@
	$(CC) $(UNIT_CFLAGS) -c -o $@ $<

$(UNIT)/help/%.o: t/unit/%.c $(UNIT_DEPS)
	@mkdir -p $(@D); rm -f $@
	$(CC) $(UNIT_CFLAGS) -c -o $@ $<

$(UNIT)/libcore.a: $(CORE_OBJ) $(HELP_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(UNIT)/bin/%: t/unit/%.c $(UNIT)/libcore.a
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -MF $@.d -o $@ $< $(UNIT)/libcore.a $(UNIT_LIBS)

unit-objects: $(CORE_OBJ) $(HELP_OBJ)

unit-programs: $(TEST_BIN)

unit: unit-programs
	t/unit/run --no-build $(TESTS)

# t/fuzz/NAME.c is one target; driver.c runs it where there is no libFuzzer.

FUZZ_SRC := $(filter-out t/fuzz/driver.c,$(sort $(wildcard t/fuzz/*.c)))
FUZZES ?= $(FUZZ_SRC:t/fuzz/%.c=%)
FUZZ_BIN := $(FUZZES:%=$(BUILD)/fuzz/bin/%)

$(BUILD)/fuzz/driver.o: t/fuzz/driver.c $(UNIT_DEPS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz/bin/%: t/fuzz/%.c $(filter %.o,$(FUZZ_MAIN)) $(UNIT)/libcore.a
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -It/fuzz -MF $@.d -o $@ $< $(FUZZ_MAIN) \
	    $(UNIT)/libcore.a $(UNIT_LIBS)

fuzz-programs: $(FUZZ_BIN)

-include $(CORE_OBJ:.o=.d) $(HELP_OBJ:.o=.d) $(TEST_BIN:=.d) \
         $(FUZZ_BIN:=.d) $(BUILD)/fuzz/driver.d

# t/threads/NAME.c: the core and what hands it to threads, with the thread
# sanitizer, which goes with no other.

RACE := $(BUILD)/race
RACE_SAN ?= -fsanitize=thread
RACE_CFLAGS := -g -O1 $(WARN) -Wno-format-zero-length $(RACE_SAN) \
               -Isrc/http $(UNIT_INC) -MMD -MP
RACE_SRC := $(CORE_SRC) $(HELP_SRC) src/http/ngx_http_envelope_crew.c \
            src/http/ngx_http_envelope_gate.c \
            src/http/ngx_http_envelope_random.c
RACE_OBJ := $(RACE_SRC:%.c=$(RACE)/%.o)
RACE_BIN := $(patsubst t/threads/%.c,$(RACE)/bin/%,$(wildcard t/threads/*.c))

$(RACE)/%.o: %.c $(UNIT_DEPS)
	@mkdir -p $(@D); rm -f $@
	$(CC) $(RACE_CFLAGS) -c -o $@ $<

$(RACE)/librace.a: $(RACE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(RACE)/bin/%: t/threads/%.c $(RACE)/librace.a
	@mkdir -p $(@D)
	$(CC) $(RACE_CFLAGS) -MF $@.d -o $@ $< $(RACE)/librace.a $(UNIT_LIBS)

race-programs: $(RACE_BIN)

-include $(RACE_OBJ:.o=.d) $(RACE_BIN:=.d)

test:
	t/run

FLOOR := ngx_http_floor_module

floor: $(BUILD)/$(FLOOR).so

$(BUILD)/floor/configure.log: bench/floor/config $(BUILD)/settings
	$(call configure,$(BUILD)/floor,--add-dynamic-module=$(HERE)/bench/floor)

$(BUILD)/$(FLOOR).so: $(BUILD)/floor/configure.log bench/operations.h \
                      bench/operations.c bench/floor/$(FLOOR).c
	$(MAKE) -C $(BUILD)/floor -f objs/Makefile modules
	cp $(BUILD)/floor/objs/$(FLOOR).so $@

bench:
	bench/run

lint:
	t/lint/run

clean:
	rm -rf $(BUILD) t/servroot
