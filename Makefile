# Builds onecopy. `make help` lists the targets, V=1 shows the commands, WERROR=1 makes warnings errors.
#
# src/cli is the command line, the rest of src the library. Each kind of build (plain, asan, tsan, and the one that
# lint makes) has a folder of its own and the same rules, which the template `flavour` makes for it.

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

# All that is needed beyond gcc and make. A word with a colon is a pkg-config module and the Debian package that has it,
# one with an at sign a command and its package, and any other a command and the package of the same name.
LIBRARY_NEEDS := lmdb:liblmdb-dev libxxhash:libxxhash-dev
CLI_NEEDS     := jansson:libjansson-dev
TEST_NEEDS    := check:check jansson:libjansson-dev
BUILD_NEEDS   := $(sort pkg-config $(LIBRARY_NEEDS) $(CLI_NEEDS) $(TEST_NEEDS))
PEER_NEEDS    := hiredis:libhiredis-dev libmemcached:libmemcached-dev sqlite3:libsqlite3-dev
PICTURE_NEEDS := gnuplot@gnuplot-nox
SERVICES      := redis-server memcached
PEERS_NEEDS   := $(BUILD_NEEDS) $(PEER_NEEDS) $(PICTURE_NEEDS) $(SERVICES)
LINT_NEEDS    := $(BUILD_NEEDS) $(PEER_NEEDS) clang-format clang-tidy cppcheck shellcheck
MODEL_NEEDS   := spin

LANGUAGE := -std=gnu11 -D_GNU_SOURCE -pthread -Iinclude
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
# Static: tests/support/sanitizer.c needs of ASan's run-time what its shared library does not show.
ASAN     := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
            -static-libasan -static-libubsan
# gcc warns of every fence that TSan does not model; onecopy's stand between processes, where TSan sees nothing anyway.
TSAN     := -fsanitize=thread -Wno-tsan

CLI_SOURCES     := $(wildcard src/cli/*.c)
LIBRARY_SOURCES := $(filter-out $(CLI_SOURCES),$(wildcard src/*.c src/*/*.c))
TEST_SOURCES    := $(wildcard $(addsuffix /*.c,tests/support tests/unit tests/process tests/cli))
BENCH_SOURCES   := $(wildcard bench/*/*.c)
BENCHES         := $(filter-out common contenders,$(sort $(foreach source,$(BENCH_SOURCES),$(word 2,$(subst /, ,$(source))))))
MODELS          := $(wildcard tests/model/*.pml)
FORMATTED       := $(wildcard $(foreach folder,include src src/* tests tests/* bench/*,$(folder)/*.c $(folder)/*.h))
VERSION          = $(shell awk '/define ONECOPY_VERSION_/ { printf "%s%s", dot, $$3; dot = "." }' include/onecopy.h)

# $(call pkg,--cflags or --libs,NEEDS): asked when a recipe runs, because only then are the packages sure to be there.
pkg = $(shell pkg-config $(1) $(foreach need,$(2),$(firstword $(subst :, ,$(need)))))
# $(call say,WORD,OPERAND): the short line that stands for a command, and the way to hide the command itself.
say = $(if $(V),,@printf '%-8s %s\n' '$(1)' '$(2)')
Q  := $(if $(V),,@)

# $(call compile,FLAGS)
define compile
@mkdir -p $(@D)
$(call say,CC,$@)
$(Q)$(CC) $(LANGUAGE) $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(1) -MMD -MP -c -o $@ $<
endef

# $(call link,FLAGS,NEEDS)
define link
@mkdir -p $(@D)
$(call say,LD,$@)
$(Q)$(CC) $(CFLAGS) -pthread $(1) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call pkg,--libs,$(2))
endef

.DELETE_ON_ERROR:

## all: builds the library and the command line, build/onecopy.
.PHONY: all
all: build/libonecopy.a build/libonecopy.so build/onecopy

# $(call flavour,FOLDER,FLAGS): the rules of one kind of build.
#
# The command line sees the public header alone. The tests see everything, and their library is compiled a second time,
# with the points where a test can hold a process or make a call fail.
define flavour
$(1)/obj/%.o: src/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -fPIC -Isrc $$(call pkg,--cflags,$(LIBRARY_NEEDS)))

$(1)/obj/cli/%.o: src/cli/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -Isrc/cli $$(call pkg,--cflags,$(CLI_NEEDS)))

$(1)/test/obj/src/%.o: src/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -DONECOPY_TESTING -Isrc $$(call pkg,--cflags,$(LIBRARY_NEEDS)))

$(1)/test/obj/tests/%.o: tests/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -DONECOPY_TESTING -Isrc -Itests $$(call pkg,--cflags,$(LIBRARY_NEEDS) $(TEST_NEEDS)))

$(1)/bench/obj/%.o: bench/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -Ibench $$(call pkg,--cflags,$(LIBRARY_NEEDS)))

# One object with all but the public names made local, so that the archive hides what the shared library hides.
$(1)/libonecopy.a: $(LIBRARY_SOURCES:src/%.c=$(1)/obj/%.o)
	$$(call say,AR,$$@)
	$$(Q)$$(LD) -r -o $(1)/libonecopy.o $$^
	$$(Q)objcopy --wildcard --keep-global-symbol='onecopy_*' $(1)/libonecopy.o
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $(1)/libonecopy.o

$(1)/onecopy: $(CLI_SOURCES:src/%.c=$(1)/obj/%.o) $(1)/libonecopy.a
	$$(call link,$(2),$(LIBRARY_NEEDS) $(CLI_NEEDS))

$(1)/test/run: $(TEST_SOURCES:tests/%.c=$(1)/test/obj/tests/%.o) $(LIBRARY_SOURCES:src/%.c=$(1)/test/obj/src/%.o)
	$$(call link,$(2),$(LIBRARY_NEEDS) $(TEST_NEEDS))
endef

$(eval $(call flavour,build))
$(eval $(call flavour,build/asan,$$(ASAN)))
$(eval $(call flavour,build/tsan,$$(TSAN)))
$(eval $(call flavour,build/lint,-Werror))

SHARED := -shared -Wl,-soname,libonecopy.so.0 -Wl,--version-script=src/libonecopy.map -Wl,-z,defs
build/libonecopy.so.0: $(LIBRARY_SOURCES:src/%.c=build/obj/%.o) src/libonecopy.map
	$(call link,$(SHARED),$(LIBRARY_NEEDS))

build/libonecopy.so: build/libonecopy.so.0
	$(Q)ln -sf $(<F) $@

# Proof that both libraries define all that onecopy.h declares ("<" is what they lack) and nothing else (">").
build/exports: include/onecopy.h build/libonecopy.so.0 build/libonecopy.a
	$(call say,EXPORTS,$<)
	$(Q)$(CC) -E -P $< | grep -o 'onecopy_[a-z0-9_]* *(' | tr -d ' (' | sort -u >$@.declared
	$(Q)nm -D --defined-only build/libonecopy.so.0 | sed -n 's/@.*//; s/.* [^A] //p' | sort -u | diff $@.declared -
	$(Q)nm -g --defined-only build/libonecopy.a | sed -n 's/.* [A-Z] //p' | sort -u | diff $@.declared -
	$(Q)touch $@

# The program in README.md, which stores what it reads.
build/example: README.md build/libonecopy.a
	$(call say,CC,$@)
	$(Q)sed -n '/^```c$$/,/^```$$/ { /^```/!p }' $< | \
	    $(CC) $(LANGUAGE) $(WARNINGS) -Werror -o $@ -x c - -x none build/libonecopy.a $(call pkg,--libs,$(LIBRARY_NEEDS))

# Changes when the compiler or its flags do, and so has everything compiled again.
build/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(WERROR)' >$@.now; cmp -s $@.now $@ || mv $@.now $@
.PHONY: FORCE
FORCE:

-include $(shell find build -name '*.d' 2>/dev/null)

## run: does the main job on real input: build/onecopy demo. ARGS="--workers 2 FILE" goes to it.
.PHONY: run
run: build/onecopy
	build/onecopy demo $(ARGS)

# $(call suite,FOLDER): runs the tests of one kind of build.
suite = $(strip ONECOPY_BIN=$(abspath $(1)/onecopy) $(SUITE:%=CK_RUN_SUITE=%) $(CASE:%=CK_RUN_CASE=%) $(1)/test/run)
# Where the kernel randomises more address bits than the sanitizers of gcc 12 expect, they only run without that.
sanitized = $(shell setarch -R true 2>/dev/null && echo setarch -R) env CK_TIMEOUT_MULTIPLIER=10

## check: runs the test suite; SUITE=name only that one, CASE=name only that test case.
.PHONY: check
check: $(if $(SUITE)$(CASE),,build/exports build/example) build/onecopy build/test/run
	$(call suite,build)

# Both sanitizers leave SIGSEGV and SIGBUS alone, since tests expect them.

## asan: runs the test suite under AddressSanitizer and UndefinedBehaviorSanitizer.
.PHONY: asan
asan: build/asan/onecopy build/asan/test/run
	$(sanitized) ASAN_OPTIONS=detect_leaks=1:handle_segv=0:handle_sigbus=0 UBSAN_OPTIONS=print_stacktrace=1 \
	    $(call suite,build/asan)

## tsan: runs the test suite under ThreadSanitizer.
.PHONY: tsan
tsan: build/tsan/onecopy build/tsan/test/run
	$(sanitized) TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:handle_segv=0:handle_sigbus=0 $(call suite,build/tsan)

# Each folder of bench is one program, but for common, which is part of all, and contenders, which is part of peers.
$(foreach name,$(BENCHES),$(eval build/bench/$(name): \
    $(patsubst bench/%.c,build/bench/obj/%.o,$(wildcard bench/$(name)/*.c bench/common/*.c))))
$(BENCHES:%=build/bench/%): build/libonecopy.a
	$(call link,,$(LIBRARY_NEEDS) $(BENCH_NEEDS)) -lm

PEERS_OBJECTS := $(patsubst bench/%.c,build/bench/obj/%.o,$(wildcard bench/contenders/*.c bench/peers/*.c))
$(PEERS_OBJECTS): | need-peers
$(PEERS_OBJECTS:build/%=build/lint/%): | need-lint
build/bench/peers: BENCH_NEEDS := $(PEER_NEEDS)
build/bench/peers: $(PEERS_OBJECTS)

## bench: measures; each program of bench prints a table and writes build/bench/NAME.json. SIZE=full measures more.
.PHONY: bench
bench: $(patsubst %,build/bench/%,$(filter-out peers,$(BENCHES)))
	$(Q)set -e; for program in $^; do SIZE=$(SIZE) $$program; done

# $(call draw,FOLDER,NAME,DATA): build/bench/NAME.svg, by the script of the folder.
draw = gnuplot -e "data='build/bench/$(3).dat'; picture='build/bench/$(2).svg'" bench/$(1)/$(2).gp

## bench-peers: measures onecopy against Redis, memcached and others, and draws it. PARTS="memory wake" only these.
.PHONY: bench-peers
bench-peers: build/bench/peers
	$(Q)SIZE=$(SIZE) $< $(PARTS)
	$(Q)$(call draw,peers,latency,peers-latency)
	$(Q)$(call draw,peers,memory,peers-memory)

## bench-growth: measures how cost grows, against LMDB, and draws it. SIZE=full takes 13 GiB of memory.
.PHONY: bench-growth
bench-growth: build/bench/growth | need-pictures
	$(Q)SIZE=$(SIZE) $< $(PARTS)
	$(Q)$(call draw,growth,growth,growth)

## bench-readme: bench-peers, and its outcome into README.md.
.PHONY: bench-readme
bench-readme: bench-peers
	mkdir -p bench/pictures
	cp build/bench/latency.svg build/bench/memory.svg bench/pictures
	sed -i -e '/^<!-- bench-readme/r build/bench/peers.md' -e '/^<!-- bench-readme/,/^<!-- end/{/^<!--/!d}' README.md

# $(call pan,FLAGS): searches all states of a model. Flaws are not in its exit status, but in what it writes.
pan = mkdir -p $(@D) && cd $(@D) && spin $(1) -a $(CURDIR)/$< && \
    $(CC) -w -O2 -o pan pan.c && ./pan -a -m1000000 >$(@F) 2>&1

build/model/%/sound/pan.out: tests/model/%.pml | need-model
	$(call say,SPIN,$<)
	$(Q)$(call pan)
	$(Q)grep -q 'errors: 0' $@ && ! grep -q 'depth too small\|not completed' $@ || { cat $@; rm $@; exit 1; }

# A model that asks for the macro BROKEN leaves out, with it, what its protocol rests on: spin must then find the flaw.
build/model/%/broken/pan.out: tests/model/%.pml | need-model
	$(call say,SPIN,$< -DBROKEN)
	$(Q)$(call pan,-DBROKEN)
	$(Q)grep -q 'errors: [1-9]' $@ || { cat $@; rm $@; exit 1; }

## model: searches all states of the protocols in tests/model, with spin.
.PHONY: model
model: $(MODELS:tests/model/%.pml=build/model/%/sound/pan.out) \
    $(patsubst tests/model/%.pml,build/model/%/broken/pan.out,$(shell grep -lsw BROKEN $(MODELS) /dev/null))

# clang-tidy reports clang's own warnings too, as errors, so that the sources are clean with both compilers.
#
# $(call tidy,SOURCES,FLAGS)
tidy = printf '%s\n' $(1) | xargs -P $$(nproc) -I{} clang-tidy --quiet {} -- $(LANGUAGE) $(WARNINGS) $(2) \
    $(call pkg,--cflags,$(LIBRARY_NEEDS) $(CLI_NEEDS) $(TEST_NEEDS)) 2>/dev/null

# readdir() of a stream that no other thread has is safe in glibc, which cppcheck does not know.

## lint: checks the format (clang-format, width), compiles with -Werror, and runs clang-tidy, cppcheck and shellcheck.
.PHONY: lint
lint: need-lint $(LIBRARY_SOURCES:src/%.c=build/lint/obj/%.o) $(CLI_SOURCES:src/%.c=build/lint/obj/%.o) \
    $(TEST_SOURCES:tests/%.c=build/lint/test/obj/tests/%.o) $(LIBRARY_SOURCES:src/%.c=build/lint/test/obj/src/%.o) \
    $(BENCH_SOURCES:bench/%.c=build/lint/bench/obj/%.o)
	$(call say,FORMAT,include src tests bench)
	$(Q)clang-format --dry-run -Werror $(FORMATTED)
	$(Q)awk 'length > 120 { print FILENAME ":" FNR ": more than 120 columns"; bad = 1 } END { exit bad }' $(FORMATTED)
	$(call say,TIDY,src)
	$(Q)$(call tidy,$(LIBRARY_SOURCES) $(CLI_SOURCES),-Isrc -Isrc/cli)
	$(call say,TIDY,bench)
	$(Q)$(call tidy,$(BENCH_SOURCES),-Ibench)
	$(call say,TIDY,tests)
	$(Q)$(call tidy,$(TEST_SOURCES),-DONECOPY_TESTING -Isrc -Itests)
	$(call say,CPPCHECK,src tests bench)
	$(Q)cppcheck --quiet -j $$(nproc) --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
	    --suppress=readdirCalled --std=c11 --library=posix,gnu -Iinclude -Isrc -Itests -Ibench $(filter %.c,$(FORMATTED))
	$(call say,SHELL,.ci/run)
	$(Q)shellcheck .ci/run

## install: installs below PREFIX (/usr/local), itself below DESTDIR.
.PHONY: install
install: all
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(PREFIX)/include $(LIBDIR)/pkgconfig)
	install -m 755 build/onecopy $(DESTDIR)$(PREFIX)/bin/
	install -m 644 include/onecopy.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 build/libonecopy.a $(DESTDIR)$(LIBDIR)/
	install -m 755 build/libonecopy.so.0 $(DESTDIR)$(LIBDIR)/
	ln -sf libonecopy.so.0 $(DESTDIR)$(LIBDIR)/libonecopy.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' src/onecopy.pc.in \
	    >$(DESTDIR)$(LIBDIR)/pkgconfig/onecopy.pc
	$(if $(DESTDIR),,-ldconfig)

## uninstall: removes what install installed, given the same PREFIX and DESTDIR.
.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libonecopy.a libonecopy.so libonecopy.so.0 pkgconfig/onecopy.pc)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/onecopy include/onecopy.h)

## clean: removes build.
.PHONY: clean
clean:
	rm -rf build

## help: lists the targets.
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): /\1 /p' Makefile | while read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

# Installs what is missing, or says how. Order-only prerequisites of all that needs it: asking costs a few milliseconds,
# and nothing is built again. Of a package that runs a service, only the program is wanted: what Debian starts with its
# installation, and would start at each boot, is stopped and disabled; one that was there before is left alone.
.PHONY: need-build need-lint need-model need-peers need-pictures
need-build: NEEDS := $(BUILD_NEEDS)
need-lint: NEEDS := $(LINT_NEEDS)
need-model: NEEDS := $(MODEL_NEEDS)
need-peers: NEEDS := $(PEERS_NEEDS)
need-pictures: NEEDS := $(PICTURE_NEEDS)
need-build need-lint need-model need-peers need-pictures:
	@missing=; \
	for need in $(NEEDS); do \
	    case $$need in \
	    *:*) pkg-config --exists "$${need%:*}" 2>/dev/null ;; \
	    *) command -v "$${need%@*}" >/dev/null ;; \
	    esac || missing="$$missing $${need#*[:@]}"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo='sudo -n'; else \
	    echo "Not installed, and needed. Run: sudo apt-get install -y$$missing" >&2; exit 1; \
	fi; \
	echo "APT     $$missing"; \
	apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600"; \
	$$apt install -y $$missing >/dev/null 2>&1 || { $$apt update && $$apt install -y $$missing >/dev/null; } || exit 1; \
	for service in $(SERVICES); do \
	    case "$$missing " in *" $$service "*) \
	        $$sudo service "$$service" stop >/dev/null 2>&1; $$sudo update-rc.d "$$service" disable ;; \
	    esac; \
	done
