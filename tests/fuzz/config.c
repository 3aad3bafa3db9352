/*
 * The daemon's configuration, from the text of a file to what the library is given. What is taken is taken by the
 * library, too, and says the same when it is printed and read again. What is refused is refused for a reason that one
 * can read.
 */
#include "fuzz/common/fuzz.h"
#include "fuzz/common/said.h"

#include "../../daemon/config.h"
#include "janitor/janitor.h"
#include "onecopy.h"
#include "options.h"
#include "support/scratch.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 200 }; /* libinih's, with the NUL */

/* For what only an environment can say: whether a cache may be like that. */
static onecopy *environment;

static bool text_read(const char *name, const void *bytes, size_t n_bytes, struct config **config)
{
    const struct config_flags flags = {.file = scratch_file(name)};
    FILE *stream = fopen(flags.file, "we");

    EXPECT(stream && fwrite(bytes, 1, n_bytes, stream) == n_bytes && fclose(stream) == 0);
    return config_read(&flags, config);
}

/* Each fault is a line of text that names the daemon. */
static void refusal_look(void)
{
    const char *text = said();
    size_t n_bytes = strlen(text);

    EXPECT_MSG(n_bytes > 0 && text[n_bytes - 1] == '\n', "it was refused, and this was said: '%s'", text);
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        EXPECT_MSG(strncmp(line, "onecopyd: error: ", 17) == 0, "this was said: '%s'", text);
        for (const char *byte = line; *byte != '\n'; byte++)
            EXPECT_MSG((unsigned char)*byte >= ' ' && *byte != 0x7f, "this was said: '%s'", text);
    }
}

/* What the configuration says of one environment is what the library takes. */
static void settings_look(const struct config *config, const char *path)
{
    struct onecopy_options resolved;
    struct config_environment made;

    EXPECT(*path);
    EXPECT(config_environment(config, path, &made));
    EXPECT_OK(options_resolve(&made.options, &resolved));
    EXPECT_OK(janitor_options_check(&made.janitor));
    EXPECT(!made.textfile || *made.textfile == '/');
    for (size_t i = 0; i < made.n_caches; i++) {
        EXPECT_OK(onecopy_cache_create(environment, made.caches[i].name, &made.caches[i].options));
        EXPECT_OK(onecopy_cache_drop(environment, made.caches[i].name, NULL));
    }
    config_environment_clear(&made);
}

/* The text without the comments that tell where values come from; the caller's. NULL: a line is too long to be read. */
static char *plain_print(const struct config *config)
{
    char *text = NULL, *end, *to;
    size_t n_bytes;
    FILE *stream = open_memstream(&text, &n_bytes);
    bool is_short = true;

    EXPECT(stream);
    config_print(config, stream);
    EXPECT(fclose(stream) == 0);
    to = text;
    for (char *line = text; *line; line = end + 1) {
        bool is_head = *line == '[';
        char *comment = NULL;

        end = strchr(line, '\n');
        EXPECT(end);
        *end = '\0';
        for (char *at = line; strncmp(line, "[cache ", 7) != 0 && (at = strstr(at, "  ; ")); at++)
            comment = at;
        n_bytes = comment ? (size_t)(comment - line) : strlen(line);
        is_short = is_short && (is_head || n_bytes < LINE_BYTES - 1);
        memmove(to, line, n_bytes);
        to += n_bytes;
        *to++ = '\n';
    }
    *to = '\0';
    if (is_short)
        return text;
    free(text);
    return NULL;
}

static void print_look(const struct config *config)
{
    char *first = plain_print(config), *second;
    struct config *again;

    if (!first)
        return;
    EXPECT_MSG(text_read("printed", first, strlen(first), &again), "what is printed is refused: %s%s", said(), first);
    second = plain_print(again);
    EXPECT_MSG(second && strcmp(first, second) == 0, "what is printed says something else: %s%s", first,
               second ? second : "");
    config_free(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config;

    said_begin();
    if (!text_read("configuration", data, size, &config)) {
        refusal_look();
        return 0;
    }
    EXPECT_MSG(!*said(), "it was taken, and this was said: %s", said());
    EXPECT(config_n_paths(config) > 0);
    for (size_t i = 0; i < config_n_paths(config); i++)
        settings_look(config, config_path(config, i));
    print_look(config);
    config_free(config);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char name[SETTING_NAME_BYTES];

    (void)argc, (void)argv;
    sandbox_begin();
    for (size_t i = 0; i < N_ENVIRONMENT_SETTINGS; i++)
        unsetenv(setting_variable(&environment_settings[i], name));
    unsetenv("ONECOPYD_ENVIRONMENTS");
    environment = open_small(4 * MIB);
    return 0;
}
