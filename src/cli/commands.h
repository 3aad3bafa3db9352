/* The commands, each in the file of its name. */
#ifndef ONECOPY_CLI_COMMANDS_H
#define ONECOPY_CLI_COMMANDS_H

#include "command.h"

extern const struct command command_init;
extern const struct command command_destroy;
extern const struct command command_config;
extern const struct command command_status;
extern const struct command command_doctor;
extern const struct command command_verify;
extern const struct command command_put;
extern const struct command command_get;
extern const struct command command_rm;
extern const struct command command_touch;
extern const struct command command_keep;
extern const struct command command_set;
extern const struct command command_wait;
extern const struct command command_invalidate;
extern const struct command command_clear;
extern const struct command command_gc;
extern const struct command command_cache;
extern const struct command command_caches;
extern const struct command command_ls;
extern const struct command command_show;
extern const struct command command_top;
extern const struct command command_stat;
extern const struct command command_events;
extern const struct command command_pins;
extern const struct command command_clients;
extern const struct command command_dump;
extern const struct command command_restore;
extern const struct command command_completion;
extern const struct command command_complete;
extern const struct command command_demo;
extern const struct command command_help;
extern const struct command command_version;
extern const struct command command_demo_worker;

#endif
