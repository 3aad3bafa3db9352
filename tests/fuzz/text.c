/*
 * Refs, sizes and durations as text, against what onecopy.h says of them, read here in another way: a size is digits,
 * at most one letter of KMGT, and at most one "B" or, after a letter, "iB"; a duration is digits and at most one unit.
 */
#include "fuzz/common/fuzz.h"

#include "onecopy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 wide;

/* A number that is larger than all that are allowed. */
#define TOO_LARGE ((wide)1 << 100)

/* Reads digits; false: there are none. Large numbers are TOO_LARGE. */
static bool digits_read(const char **text, wide *number)
{
    const char *begin = *text;

    for (*number = 0; **text >= '0' && **text <= '9'; ++*text)
        *number =
            *number * 10 + (unsigned)(**text - '0') > TOO_LARGE ? TOO_LARGE : *number * 10 + (unsigned)(**text - '0');
    return *text > begin;
}

static bool size_read(const char *text, uint64_t *value)
{
    static const char letters[] = "KMGT";
    wide number;
    const char *letter = NULL;

    if (!digits_read(&text, &number))
        return false;
    if (*text)
        letter = strchr(letters, toupper((unsigned char)*text));
    for (unsigned power = letter ? 1 + (unsigned)(letter - letters) : 0; power > 0; power--)
        number = number > TOO_LARGE >> 10 ? TOO_LARGE : number << 10;
    if (letter && *++text && (text[0] == 'i' || text[0] == 'I') && text[1])
        text++;
    if (*text == 'b' || *text == 'B')
        text++;
    *value = (uint64_t)number;
    return !*text && number <= UINT64_C(1) << 63;
}

static bool duration_read(const char *text, uint64_t *value)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"D", 86400000000000}, {"H", 3600000000000}, {"M", 60000000000}, {"S", 1000000000},
                 {"MS", 1000000},       {"US", 1000},         {"NS", 1},          {"", 1000000000}};
    wide number;

    if (!digits_read(&text, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcasecmp(text, units[i].name) != 0)
            continue;
        if (number > UINT64_C(1) << 62 || number * units[i].ns > UINT64_C(1) << 62)
            return false;
        *value = (uint64_t)number * units[i].ns;
        return true;
    }
    return false;
}

static void ref_try(const char *text)
{
    onecopy_ref ref, untouched;
    char again[ONECOPY_REF_TEXT_BYTES];

    memset(&ref, 0xa5, sizeof ref);
    untouched = ref;
    if (onecopy_ref_parse(text, &ref) == ONECOPY_OK) {
        EXPECT(strcasecmp(onecopy_ref_format(&ref, again), text) == 0 && strncmp(text, "oc1:", 4) == 0);
        return;
    }
    EXPECT(memcmp(&ref, &untouched, sizeof ref) == 0);
    EXPECT(strncmp(text, "oc1:", 4) != 0 || strlen(text) != 36 || strspn(text + 4, "0123456789abcdefABCDEF") != 32);
}

static void quantity_try(const char *text, int (*parse)(const char *text, uint64_t *value),
                         bool (*read)(const char *text, uint64_t *value))
{
    uint64_t parsed = 12345;
    uint64_t expected = 0;
    int result = parse(text, &parsed);

    EXPECT_MSG((result == ONECOPY_OK) == read(text, &expected), "'%s' gave %d", text, result);
    EXPECT_EQUAL(parsed, result == ONECOPY_OK ? expected : 12345);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its very length, for AddressSanitizer */

    EXPECT(text);
    memcpy(text, data, size);
    text[size] = '\0';
    ref_try(text);
    quantity_try(text, onecopy_bytes_parse, size_read);
    quantity_try(text, onecopy_duration_parse, duration_read);
    free(text);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    sandbox_begin();
    return 0;
}
