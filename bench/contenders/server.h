/* Servers: started for a benchmark, and gone with it. */
#ifndef BENCH_CONTENDERS_SERVER_H
#define BENCH_CONTENDERS_SERVER_H

#include <sys/types.h>

/* Starts a program that stays in the foreground, and waits until it takes connections on its Unix socket. */
void *server_start(const char *const *arguments, const char *socket_path);
void server_stop(void *server);
pid_t server_pid(const void *server);

#endif
