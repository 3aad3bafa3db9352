/* The installed service on a machine of the tests' own (see tests/systemd/machine), and those who use its cache. */
#ifndef TESTS_SYSTEMD_SERVICE_H
#define TESTS_SYSTEMD_SERVICE_H

#include "cli/program.h"
#include "onecopy.h"
#include "support/process.h"

#include <check.h>

#define SERVICE "onecopyd.service"
#define SHARED  "/dev/shm/onecopy"

/* Users of the machine: the first is a member of the group onecopy. */
#define MEMBER   "alice"
#define STRANGER "mallory"

/* Gives each test of a case a service that is stopped, without cache, settings and past. */
void service_add(TCase *tcase);

/* Runs a line of shell, which must succeed. Returns what it printed, as that of program_run(). */
__attribute__((format(printf, 1, 2))) const char *shell(const char *format, ...);

/* What systemd says of a unit: the value of a property. */
const char *unit_property(const char *unit, const char *name);
bool unit_is(const char *unit, const char *state);
pid_t service_pid(void);

/* Starts it and waits until it is active. */
void service_start(void);

/* Writes the service's configuration, or a drop-in for its unit (a section and its lines). */
void service_configure(const char *text);
void service_override(const char *text);

/* What the journal of the service has at this priority since the test began; whether these words are in it. */
const char *journal(int priority);
bool journal_has(const char *words, int priority);

/* Becomes a user of the machine, with its groups. In a process of its own. */
void user_become(const char *name);

/* Opens the shared cache. */
onecopy *shared_open(void);

#endif
