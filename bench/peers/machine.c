/* The date, the machine and the versions, as the system and the programs tell them. */
#include "peers/machine.h"

#include "common/crew.h"
#include "onecopy.h"

#include <ctype.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

/* The model of the processor, or what kind it is. */
static void processor_read(char *text, size_t capacity, const struct utsname *system)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(text, capacity, "%s", system->machine);
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "model name", strlen("model name")) != 0 || !strchr(line, ':'))
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, capacity, "%s", strchr(line, ':') + 2);
        break;
    }
    if (file)
        fclose(file);
}

/* The first thing that looks like a version in what a command prints. */
static void version_read(const char *command, char text[32])
{
    FILE *file = popen(command, "r");
    char line[256] = "";
    size_t begin = 0;

    snprintf(text, 32, "?");
    if (!file)
        return;
    if (fgets(line, sizeof line, file)) {
        while (line[begin] && !isdigit((unsigned char)line[begin]))
            begin++;
        snprintf(text, 32, "%.*s", (int)strspn(line + begin, "0123456789."), line + begin);
    }
    pclose(file);
}

void machine_describe(FILE *file)
{
    struct utsname system;
    struct sysinfo info;
    struct tm today;
    time_t now = time(NULL);
    char processor[256];
    char redis[32];
    char memcached[32];
    char date[32];

    uname(&system);
    sysinfo(&info);
    localtime_r(&now, &today);
    strftime(date, sizeof date, "%Y-%m-%d", &today);
    processor_read(processor, sizeof processor, &system);
    version_read("redis-server --version", redis);
    version_read("memcached -V", memcached);
    fprintf(file,
            "Measured on %s with %u processors (%s), %.0f GiB of memory and Linux %.*s.\nonecopy %d.%d.%d, Redis %s, "
            "memcached %s, LMDB %d.%d.%d, SQLite %s. Medians.\n\n",
            date, crew_processors(), processor, (double)info.totalram * info.mem_unit / (double)(UINT64_C(1) << 30),
            (int)strcspn(system.release, "-"), system.release, ONECOPY_VERSION_MAJOR, ONECOPY_VERSION_MINOR,
            ONECOPY_VERSION_PATCH, redis, memcached, MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH,
            sqlite3_libversion());
}
