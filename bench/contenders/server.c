/*
 * What becomes of a server when the benchmark is interrupted or crashes? It is a child that asks the kernel for SIGKILL
 * when its parent ends, by whatever cause. Nothing that it has is worth keeping.
 */
#include "contenders/server.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000U

static void pause_1ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static _Noreturn void server_become(const char *const *arguments, pid_t parent)
{
    int nowhere = open("/dev/null", O_RDWR);

    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        err(1, "/dev/null");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    err(1, "%s", arguments[0]);
}

static bool is_listening(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_connected;

    if (fd < 0)
        err(1, "socket");
    if (strlen(socket_path) >= sizeof address.sun_path)
        errx(1, "%s: too long for a socket", socket_path);
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    is_connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_connected;
}

void *server_start(const char *const *arguments, const char *socket_path)
{
    pid_t *server = malloc(sizeof *server);
    pid_t parent = getpid();

    if (!server)
        errx(1, "out of memory");
    *server = fork();
    if (*server < 0)
        err(1, "fork");
    if (*server == 0)
        server_become(arguments, parent);
    for (unsigned i = 0; !is_listening(socket_path); i++) {
        if (i == PATIENCE_MS || waitpid(*server, NULL, WNOHANG) == *server)
            errx(1, "%s does not listen at %s", arguments[0], socket_path);
        pause_1ms();
    }
    return server;
}

void server_stop(void *server)
{
    pid_t pid = server_pid(server);

    kill(pid, SIGTERM);
    for (unsigned i = 0; waitpid(pid, NULL, WNOHANG) == 0; i++) {
        if (i == PATIENCE_MS)
            kill(pid, SIGKILL);
        pause_1ms();
    }
    free(server);
}

pid_t server_pid(const void *server)
{
    const pid_t *pid = server;

    return *pid;
}
