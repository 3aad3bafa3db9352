# Builds onecopy. `make help` lists the targets, V=1 shows the commands, WERROR=1 makes warnings errors.
#
# src/cli is the command line, daemon the daemon, src/program what both have; the rest of src is the library. Each kind of build (plain, asan, tsan, and the one that
# lint makes) has a folder of its own and the same rules, which the template `flavour` makes for it.

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

# All that is needed beyond gcc and make. A word with a colon is a pkg-config module and the Debian package that has it,
# one with an equals sign a command and its package; a word without either is a command and the package of that name.
LIBRARY_NEEDS := lmdb:liblmdb-dev libxxhash:libxxhash-dev
CLI_NEEDS     := jansson:libjansson-dev libarchive:libarchive-dev ncursesw:libncurses-dev
DAEMON_NEEDS  := inih:libinih-dev libsystemd:libsystemd-dev
TEST_NEEDS    := check:check jansson:libjansson-dev libarchive:libarchive-dev
TEST_TOOLS    := jq
BUILD_NEEDS   := $(sort pkg-config scdoc $(LIBRARY_NEEDS) $(CLI_NEEDS) $(DAEMON_NEEDS) $(TEST_NEEDS) $(TEST_TOOLS))
PEER_NEEDS    := hiredis:libhiredis-dev libmemcached:libmemcached-dev sqlite3:libsqlite3-dev
PICTURE_NEEDS := gnuplot=gnuplot-nox
SERVICES      := redis-server memcached
PEERS_NEEDS   := $(BUILD_NEEDS) $(PEER_NEEDS) $(PICTURE_NEEDS) $(SERVICES)
LINT_NEEDS    := $(BUILD_NEEDS) $(PEER_NEEDS) clang-format clang-tidy cppcheck shellcheck
MODEL_NEEDS   := spin
FUZZ_NEEDS    := clang
VALGRIND_NEEDS := $(BUILD_NEEDS) valgrind
COVERAGE_NEEDS := $(BUILD_NEEDS) gcovr
SYSTEMD_NEEDS := systemd-analyze=systemd nsenter=util-linux pgrep=procps useradd=passwd

LANGUAGE := -std=gnu11 -D_GNU_SOURCE -pthread -Iinclude
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
# Static: tests/support/sanitizer.c needs of ASan's run-time what its shared library does not show.
ASAN     := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
            -static-libasan -static-libubsan
# gcc warns of every fence that TSan does not model; onecopy's stand between processes, where TSan sees nothing anyway.
TSAN     := -fsanitize=thread -Wno-tsan
# clang's: the targets are its own, and have its main().
FUZZ     := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

PROGRAM_SOURCES := $(wildcard src/program/*.c)
CLI_SOURCES     := $(wildcard src/cli/*.c)
DAEMON_SOURCES  := $(wildcard daemon/*.c)
LIBRARY_SOURCES := $(filter-out $(CLI_SOURCES) $(PROGRAM_SOURCES),$(wildcard src/*.c src/*/*.c))
TEST_SOURCES    := $(wildcard $(addsuffix /*.c,tests/support tests/unit tests/process tests/lab tests/cli tests/daemon))
MACHINE_SOURCES := $(wildcard tests/support/*.c tests/systemd/*.c) tests/cli/program.c \
    $(filter-out tests/process/test_%,$(wildcard tests/process/*.c))
# Of LMDB, by tests/unit/fault.c.
FAILING_CALLS   := txn_begin txn_renew txn_commit cursor_open put del
BENCH_SOURCES   := $(wildcard bench/*/*.c)
BENCHES         := $(filter-out common contenders,$(sort $(foreach source,$(BENCH_SOURCES),$(word 2,$(subst /, ,$(source))))))
MODELS          := $(wildcard tests/model/*.pml)
MANUALS         := $(patsubst man/%.scd,build/man/%,$(wildcard man/*.scd))
FUZZERS         := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_SUPPORT    := $(filter-out tests/support/runner.c,$(wildcard tests/support/*.c tests/fuzz/common/*.c)) \
                   tests/unit/specimen.c tests/unit/trial.c tests/cli/archive.c
FUZZ_SOURCES    := $(wildcard tests/fuzz/*.c) $(FUZZ_SUPPORT)
FORMATTED       := $(wildcard $(foreach folder,include src src/* daemon tests tests/* tests/fuzz/common bench/*,\
                       $(folder)/*.c $(folder)/*.h))
VERSION          = $(shell awk '/define ONECOPY_VERSION_/ { printf "%s%s", dot, $$3; dot = "." }' include/onecopy.h)
# A shell, and where below PREFIX/share it looks for what completes the words of a program.
COMPLETIONS     := bash:bash-completion/completions/onecopy zsh:zsh/site-functions/_onecopy \
                   fish:fish/vendor_completions.d/onecopy.fish

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

# For what would otherwise end an argument of call.
, := ,

.DELETE_ON_ERROR:

## all: builds the library, the command line, build/onecopy, and the daemon, build/onecopyd.
.PHONY: all
all: build/libonecopy.a build/libonecopy.so build/onecopy build/onecopyd manuals

# $(call flavour,FOLDER,FLAGS): the rules of one kind of build.
#
# The command line and the daemon see the public header alone. The tests see everything, and their library is compiled a
# second time, with the points where a test can hold a process or make a call fail.
define flavour
$(1)/obj/%.o: src/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -fPIC -Isrc $$(call pkg,--cflags,$(LIBRARY_NEEDS)))

$(1)/obj/cli/%.o: src/cli/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -Isrc/cli -Isrc/program $$(call pkg,--cflags,$(LIBRARY_NEEDS) $(CLI_NEEDS)))

$(1)/obj/daemon/%.o: daemon/%.c Makefile build/flags | need-build
	$$(call compile,$(2) -Isrc/program $$(call pkg,--cflags,$(DAEMON_NEEDS)))

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

$(1)/onecopy: $(patsubst src/%.c,$(1)/obj/%.o,$(CLI_SOURCES) $(PROGRAM_SOURCES)) $(1)/libonecopy.a
	$$(call link,$(2),$(LIBRARY_NEEDS) $(CLI_NEEDS))

$(1)/onecopyd: $(DAEMON_SOURCES:%.c=$(1)/obj/%.o) $(PROGRAM_SOURCES:src/%.c=$(1)/obj/%.o) $(1)/libonecopy.a
	$$(call link,$(2),$(LIBRARY_NEEDS) $(DAEMON_NEEDS))

$(1)/test/run: $(TEST_SOURCES:tests/%.c=$(1)/test/obj/tests/%.o) $(LIBRARY_SOURCES:src/%.c=$(1)/test/obj/src/%.o)
	$$(call link,$(2) $(FAILING_CALLS:%=-Wl$$(,)--wrap=mdb_%),$(LIBRARY_NEEDS) $(TEST_NEEDS))

$(1)/test/machine: $(MACHINE_SOURCES:tests/%.c=$(1)/test/obj/tests/%.o) $(LIBRARY_SOURCES:src/%.c=$(1)/test/obj/src/%.o)
	$$(call link,$(2),$(LIBRARY_NEEDS) $(TEST_NEEDS))
endef

$(eval $(call flavour,build))
$(eval $(call flavour,build/asan,$$(ASAN)))
$(eval $(call flavour,build/tsan,$$(TSAN)))
$(eval $(call flavour,build/lint,-Werror))
$(eval $(call flavour,build/fuzz,$$(FUZZ)))
$(eval $(call flavour,build/coverage,--coverage -fprofile-update=atomic))

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

# Manual pages: man/NAME.SECTION.scd. What commands, the daemon and the header say of themselves is put in where a page
# asks for it.
build/man/commands: man/commands.awk build/onecopy
	@mkdir -p $(@D)
	$(Q)for name in $$(build/onecopy help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p'); do build/onecopy help $$name; done | \
	    awk -f $< >$@

build/man/settings: man/commands.awk build/onecopyd
	@mkdir -p $(@D)
	$(Q)build/onecopyd --help | sed -n '/^Settings, /,/^$$/{/^  /p}' | awk -f $< >$@

build/man/functions: man/functions.awk include/onecopy.h
	@mkdir -p $(@D)
	$(Q)awk -f $^ >$@

build/man/%: man/%.scd build/man/commands build/man/settings build/man/functions | need-build
	$(call say,MAN,$@)
	$(Q)sed -e '/^@COMMANDS@$$/{r build/man/commands' -e 'd}' -e '/^@SETTINGS@$$/{r build/man/settings' -e 'd}' \
	    -e '/^@FUNCTIONS@$$/{r build/man/functions' -e 'd}' $< | scdoc >$@

.PHONY: manuals
manuals: $(MANUALS)

# The programs in README.md.
build/example/compiled: README.md build/libonecopy.a
	$(call say,CC,$(@D))
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)awk '/^```/ { inside = /^```c$$/; n += inside; next } inside { print >"$(@D)/" n ".c" }' $<
	$(Q)set -e; for source in $(@D)/*.c; do \
	    $(CC) $(LANGUAGE) $(WARNINGS) -Werror -o $${source%.c} $$source build/libonecopy.a \
	        $(call pkg,--libs,$(LIBRARY_NEEDS)); \
	done
	$(Q)touch $@

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

# $(call tests,PROGRAM,SUITE): runs one with tests. $(call suite,FOLDER): runs those of one kind of build.
tests = $(strip $(2:%=CK_RUN_SUITE=%) $(CASE:%=CK_RUN_CASE=%) $(1))
suite = $(call suite_of,$(1),$(SUITE))
suite_of = ONECOPY_BIN=$(abspath $(1)/onecopy) ONECOPYD_BIN=$(abspath $(1)/onecopyd) $(call tests,$(1)/test/run,$(2))
# Where the kernel randomises more address bits than the sanitizers of gcc 12 expect, they only run without that.
sanitized = $(shell setarch -R true 2>/dev/null && echo setarch -R) env CK_TIMEOUT_MULTIPLIER=10

## check: runs the test suite; SUITE=name only that one, CASE=name only that test case.
.PHONY: check
check: $(if $(SUITE)$(CASE),,build/exports build/example/compiled) build/onecopy build/onecopyd build/test/run manuals
	$(call suite,build)

## crash-lab: processes under every kind of trouble, for MINUTES=3; SEED=number repeats the round that a failure named.
.PHONY: crash-lab
MINUTES := 3
crash-lab: build/onecopyd build/test/run
	ONECOPY_TORTURE_REPORT=1 ONECOPY_LAB_SECONDS=$$(($(MINUTES) * 60)) $(SEED:%=ONECOPY_SEED=%) $(call suite_of,build,lab)

# Out of its package without installing that: the server in it would be started.
build/tools/promtool:
	@mkdir -p $(@D)
	$(call say,FETCH,$@)
	$(Q)cd $(@D) && { apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; } && \
	    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/promtool && rm prometheus_*.deb

## check-systemd: tries the installed daemon as a service, under a systemd of its own; as root. SUITE, CASE as above.
.PHONY: check-systemd
check-systemd: build/test/machine build/tools/promtool all | need-systemd
	tests/systemd/machine sh -c 'make --silent install >/dev/null && PATH=$$PWD/build/tools:$$PATH && $(call tests,$\
	    build/test/machine,$(SUITE))'

# Both sanitizers leave SIGSEGV and SIGBUS alone, since tests expect them.

## asan: runs the test suite under AddressSanitizer and UndefinedBehaviorSanitizer.
.PHONY: asan
asan: build/asan/onecopy build/asan/onecopyd build/asan/test/run manuals
	$(sanitized) ASAN_OPTIONS=detect_leaks=1:handle_segv=0:handle_sigbus=0 UBSAN_OPTIONS=print_stacktrace=1 \
	    $(call suite,build/asan)

## tsan: runs the test suite under ThreadSanitizer.
.PHONY: tsan
tsan: build/tsan/onecopy build/tsan/onecopyd build/tsan/test/run manuals
	$(sanitized) TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:handle_segv=0:handle_sigbus=0 $(call suite,build/tsan)

# What processes have passed that are killed, or become another user, is not counted.

## coverage: runs the test suite and prints which part of src it has passed, by folder; HTML=folder writes pages as well.
.PHONY: coverage
coverage: need-coverage build/coverage/onecopy build/coverage/onecopyd build/coverage/test/run manuals
	$(Q)find build/coverage -name '*.gcda' -delete
	CK_TIMEOUT_MULTIPLIER=10 ONECOPY_KILLS=100 $(call suite,build/coverage)
	$(if $(HTML),$(Q)mkdir -p $(HTML))
	$(Q)gcovr --root . --filter src/ --csv build/coverage/files.csv \
	    $(if $(HTML),--html-details $(HTML)/index.html) build/coverage
	$(Q)awk -f tests/support/coverage.awk build/coverage/files.csv

UNIT_SUITES := $(shell sed -n 's/^SUITE(\([a-z_]*\))$$/\1/p' tests/unit/*.c)

# Leaks are AddressSanitizer's to find (make asan), which is told of processes that end without giving anything back.
# full_disk fills file systems page by page, some hundred times, and those with faults have each call of each operation fail
# once: that takes longer than all the others together. What memcheck has to say of index_check is that LMDB writes pages
# whose unused bytes nobody has set. Test cases with the tag "native" say themselves why memcheck is nothing for them.
NOT_MEMCHECKED := full_disk faults faults_entries index_check

## valgrind: runs the suites of tests/unit under memcheck, but for NOT_MEMCHECKED. SUITE=name only one.
.PHONY: valgrind
valgrind: need-valgrind build/onecopy build/test/run
	$(Q)printf '%s\n' $(or $(SUITE),$(filter-out $(NOT_MEMCHECKED),$(UNIT_SUITES))) | \
	    xargs -P $$(nproc) -I{} env CK_RUN_SUITE={} CK_EXCLUDE_TAGS=native CK_TIMEOUT_MULTIPLIER=30 \
	    valgrind -q --error-exitcode=9 --leak-check=no build/test/run

# Each folder of bench is one program, but for common, which is part of all, and contenders, which is part of peers.
$(foreach name,$(BENCHES),$(eval build/bench/$(name): \
    $(patsubst bench/%.c,build/bench/obj/%.o,$(wildcard bench/$(name)/*.c bench/common/*.c))))
build/bench/janitor: build/onecopyd
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

## bench-readme: bench-peers and bench-growth, and what came of them into README.md.
.PHONY: bench-readme
bench-readme: bench-peers bench-growth
	mkdir -p bench/pictures
	cp $(patsubst %,build/bench/%.svg,latency memory growth) bench/pictures
	sed -i -e '/^<!-- bench-readme/r build/bench/peers.md' -e '/^<!-- bench-readme/,/^<!-- end/{/^<!--/!d}' README.md

build/fuzz/%: private CC := clang
FUZZ_LIBRARY := $(LIBRARY_SOURCES:src/%.c=build/fuzz/test/obj/src/%.o)
FUZZ_PROGRAM := $(PROGRAM_SOURCES:src/%.c=build/fuzz/obj/%.o)
# Targets that are about a program have all of it but main().
FUZZ_DAEMON := $(patsubst %.c,build/fuzz/obj/%.o,$(filter-out %/main.c,$(DAEMON_SOURCES))) $(FUZZ_PROGRAM)
FUZZ_CLI    := $(patsubst src/%.c,build/fuzz/obj/%.o,$(filter-out %/main.c,$(CLI_SOURCES))) $(FUZZ_PROGRAM)
$(FUZZ_SOURCES:tests/%.c=build/fuzz/test/obj/tests/%.o) $(FUZZ_LIBRARY) $(FUZZ_DAEMON) $(FUZZ_CLI): | need-fuzz
$(FUZZERS:%=build/fuzz/%): build/fuzz/%: build/fuzz/test/obj/tests/fuzz/%.o $(FUZZ_LIBRARY) \
    $(FUZZ_SUPPORT:tests/%.c=build/fuzz/test/obj/tests/%.o)
	$(call link,-fsanitize=fuzzer$(,)address$(,)undefined,$(LIBRARY_NEEDS) $(CLI_NEEDS) $(DAEMON_NEEDS) $(TEST_NEEDS))
build/fuzz/config: $(FUZZ_DAEMON)
build/fuzz/restore: $(FUZZ_CLI)

## fuzz: runs the targets of tests/fuzz for SECONDS (60) each, beginning with SEED. TARGET=name only one; INPUT=file once.
SECONDS ?= 60
SEED    ?= $(shell date +%s)
.PHONY: fuzz
fuzz: $(if $(TARGET),build/fuzz/$(TARGET),$(FUZZERS:%=build/fuzz/%))
	$(Q)printf '%s\n' $^ | xargs -P $$(nproc) -I{} tests/fuzz/run {} $(if $(INPUT),$(INPUT),$(SECONDS) $(SEED))

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
    $(call pkg,--cflags,$(LIBRARY_NEEDS) $(CLI_NEEDS) $(DAEMON_NEEDS) $(TEST_NEEDS)) 2>/dev/null
PROGRAM_INCLUDES := -Isrc -Isrc/cli -Isrc/program
ALL_TESTS        := $(sort $(TEST_SOURCES) $(FUZZ_SOURCES) $(MACHINE_SOURCES))

# readdir() of a stream that no other thread has is safe in glibc, which cppcheck does not know.

## lint: checks the format (clang-format, width), compiles with -Werror, and runs clang-tidy, cppcheck and shellcheck.
.PHONY: lint
lint: need-lint $(patsubst src/%.c,build/lint/obj/%.o,$(LIBRARY_SOURCES) $(CLI_SOURCES) $(PROGRAM_SOURCES)) \
    $(DAEMON_SOURCES:%.c=build/lint/obj/%.o) $(LIBRARY_SOURCES:src/%.c=build/lint/test/obj/src/%.o) \
    $(ALL_TESTS:tests/%.c=build/lint/test/obj/tests/%.o) $(BENCH_SOURCES:bench/%.c=build/lint/bench/obj/%.o)
	$(call say,FORMAT,include src daemon tests bench)
	$(Q)clang-format --dry-run -Werror $(FORMATTED)
	$(Q)awk 'length > 120 { print FILENAME ":" FNR ": more than 120 columns"; bad = 1 } END { exit bad }' $(FORMATTED)
	$(call say,TIDY,src daemon)
	$(Q)$(call tidy,$(LIBRARY_SOURCES) $(CLI_SOURCES) $(PROGRAM_SOURCES) $(DAEMON_SOURCES),$(PROGRAM_INCLUDES))
	$(call say,TIDY,bench)
	$(Q)$(call tidy,$(BENCH_SOURCES),-Ibench)
	$(call say,TIDY,tests)
	$(Q)$(call tidy,$(ALL_TESTS),-DONECOPY_TESTING -Isrc -Itests)
	$(call say,CPPCHECK,src daemon tests bench)
	$(Q)cppcheck --quiet -j $$(nproc) --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
	    --suppress=readdirCalled --std=c11 --library=posix,gnu -Iinclude $(PROGRAM_INCLUDES) -Itests -Ibench \
	    $(filter %.c,$(FORMATTED))
	$(call say,SHELL,.ci tests/fuzz tests/systemd)
	$(Q)shellcheck .ci/run tests/fuzz/run tests/systemd/machine

# $(call unit,SOURCE,NAME,ENVIRONMENT,CONFIGURATION,VARIABLES): installs a unit below $(PREFIX)/lib/systemd.
unit = sed 's|@BINDIR@|$(PREFIX)/bin|; s|@ENVIRONMENT@|$(3)|; s|@CONFIG@|$(4)|; s|@VARIABLES@|$(strip $(5))|' \
    daemon/systemd/$(1) >$(DESTDIR)$(PREFIX)/lib/systemd/$(2)
INSTALLED_UNITS := system/onecopyd.service system/onecopyd@.service user/onecopyd.service

## install: installs below PREFIX (/usr/local), itself below DESTDIR; without that, makes the daemon's user as well.
.PHONY: install
install: all
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(PREFIX)/include $(LIBDIR)/pkgconfig /etc/onecopy \
	    $(addprefix $(PREFIX)/lib/,systemd/system systemd/user sysusers.d tmpfiles.d))
	install -m 755 build/onecopy build/onecopyd $(DESTDIR)$(PREFIX)/bin/
	install -m 644 include/onecopy.h $(DESTDIR)$(PREFIX)/include/
	for page in $(MANUALS); do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; \
	done
	for shell in $(COMPLETIONS); do \
	    mkdir -p $$(dirname $(DESTDIR)$(PREFIX)/share/$${shell#*:}) && \
	    build/onecopy completion $${shell%:*} >$(DESTDIR)$(PREFIX)/share/$${shell#*:} || exit; \
	done
	install -m 644 build/libonecopy.a $(DESTDIR)$(LIBDIR)/
	install -m 755 build/libonecopy.so.0 $(DESTDIR)$(LIBDIR)/
	ln -sf libonecopy.so.0 $(DESTDIR)$(LIBDIR)/libonecopy.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' src/onecopy.pc.in \
	    >$(DESTDIR)$(LIBDIR)/pkgconfig/onecopy.pc
	$(call unit,onecopyd.service.in,system/onecopyd.service,/dev/shm/onecopy,/etc/onecopy/onecopyd.conf,\
	    ONECOPY_PATH=/dev/shm/onecopy)
	$(call unit,onecopyd.service.in,system/onecopyd@.service,/dev/shm/onecopy.%i,/etc/onecopy/%i.conf,\
	    ONECOPY_PATH=/dev/shm/onecopy.%i ONECOPYD_CONFIG=/etc/onecopy/%i.conf)
	$(call unit,onecopyd-user.service.in,user/onecopyd.service)
	install -m 644 daemon/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/onecopy.conf
	install -m 644 daemon/systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/onecopy.conf
	test -e $(DESTDIR)/etc/onecopy/onecopyd.conf || \
	    install -m 644 daemon/onecopyd.conf $(DESTDIR)/etc/onecopy/
	$(if $(DESTDIR),,-ldconfig)
	$(if $(DESTDIR),,-test ! -d /run/systemd/system || { systemd-sysusers onecopy.conf && systemctl daemon-reload; })

## uninstall: removes what install installed, given the same PREFIX and DESTDIR, but for the configuration.
.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libonecopy.a libonecopy.so libonecopy.so.0 pkgconfig/onecopy.pc)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/onecopy bin/onecopyd include/onecopy.h)
	rm -f $(foreach page,$(MANUALS),$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -f $(foreach shell,$(COMPLETIONS),$(DESTDIR)$(PREFIX)/share/$(word 2,$(subst :, ,$(shell))))
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/,$(INSTALLED_UNITS:%=systemd/%) sysusers.d/onecopy.conf \
	    tmpfiles.d/onecopy.conf)

## clean: removes build.
.PHONY: clean
clean:
	rm -rf build

## help: lists the targets.
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): /\1 /p' Makefile | while read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done

# Installs what is missing, or says how. Order-only prerequisites of all that needs it: asking costs a few milliseconds,
# and nothing is built again. Of a package that runs a service, only the program is wanted: what Debian starts with its
# installation, and would start at each boot, is stopped and disabled; one that was there before is left alone.
NEED_TARGETS := need-build need-lint need-model need-fuzz need-valgrind need-coverage need-systemd need-peers need-pictures
.PHONY: $(NEED_TARGETS)
need-build: NEEDS := $(BUILD_NEEDS)
need-lint: NEEDS := $(LINT_NEEDS)
need-model: NEEDS := $(MODEL_NEEDS)
need-fuzz: NEEDS := $(FUZZ_NEEDS)
need-valgrind: NEEDS := $(VALGRIND_NEEDS)
need-coverage: NEEDS := $(COVERAGE_NEEDS)
need-systemd: NEEDS := $(SYSTEMD_NEEDS)
need-peers: NEEDS := $(PEERS_NEEDS)
need-pictures: NEEDS := $(PICTURE_NEEDS)
$(NEED_TARGETS):
	@missing=; \
	for need in $(NEEDS); do \
	    case $$need in \
	    *:*) pkg-config --exists "$${need%:*}" 2>/dev/null ;; \
	    *) command -v "$${need%=*}" >/dev/null ;; \
	    esac || missing="$$missing $${need#*[:=]}"; \
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
