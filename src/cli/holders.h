/* Who has an environment open, and what they hold in it. */
#ifndef ONECOPY_CLI_HOLDERS_H
#define ONECOPY_CLI_HOLDERS_H

#include <stddef.h>

#include "print_json.h"

/* Lists the clients by their numbers. *clients: the caller's to free. A failure is reported. */
enum status clients_list(onecopy *cache, struct onecopy_client **clients, size_t *n);

/* Lists the live views, the oldest first. *pins: the caller's to free. A failure is reported. */
enum status pins_list(onecopy *cache, struct onecopy_pin **pins, size_t *n);

/* Lists the claims that are held. *claims: the caller's to free. A failure is reported. */
enum status claims_list(onecopy *cache, struct onecopy_claim_info **claims, size_t *n);

/* The client of that number, or NULL: it came after the list was made. */
const struct onecopy_client *client_find(const struct onecopy_client *clients, size_t n, uint32_t number);

/* The name of a user, or the number of one without. Returns text. */
char *text_of_user(uint32_t user, char text[TEXT_BYTES]);

/* The PID namespace of this process, which is one of the clients; 0: not known. */
uint64_t namespace_own(const struct onecopy_client *clients, size_t n);

/* The inode of a PID namespace, "own" for ours, "?" for none that is known. Returns text. */
char *text_of_namespace(uint64_t namespace, uint64_t own, char text[TEXT_BYTES]);

/* "alive", "dead", or of this process "self". */
const char *client_state(const struct onecopy_client *client);

/* Adds who it is to a JSON object; NULL: all is null. False for want of memory. */
bool client_add(json_t *json, const struct onecopy_client *client);

#endif
