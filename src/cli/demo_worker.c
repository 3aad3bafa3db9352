/*
 * The hidden command `demo-worker`: a worker process of the demo. It gets its task from its runner in lines of text, on
 * standard input and output:
 *
 *     worker: ready
 *     runner: count TASK ARGUMENT OFFSET LENGTH SENT_NS
 *     worker: started FIRST_BYTE_NS
 *     runner: go
 *
 * and "error SENTENCE" instead of any of its lines. ARGUMENT is a ref, which the worker looks up in the cache and gets
 * a view of. Or it is "bytes:N": then the N bytes follow the line, the worker keeps them in memory of its own, and they
 * take the place of "go". What is counted after that is the same, so that only the way of the argument makes the
 * difference. SENT_NS is when the runner sent the line, on the clock that all processes have in common.
 *
 * The answer is "WORDS LINES ALL_BYTES_NS". With a cache it is an entry of `results` whose key is TASK: running while
 * the worker counts, then success, or failure with a sentence. Without one it is a line, "done" and the answer.
 *
 * The first byte counts as there when the worker has read it; all bytes, when every page of the argument has been
 * touched, because a page of a view is mapped only then. The runner says "go" when all workers have started, so that
 * none waits for its first byte while the others, already counting, have the processors. After its answer the worker
 * goes on holding the argument until its input ends, for the runner to measure how much memory that takes.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "commands.h"
#include "demo.h"
#include "input.h"
#include "print.h"
#include "steady.h"

enum { LINE_BYTES = 256 };

struct worker_task {
    char name[DEMO_NAME_BYTES];
    char argument[64];
    uint64_t offset;
    uint64_t length;
    uint64_t sent_ns;
};

/* What came from the runner: a line, and perhaps the beginning of the bytes that follow it. */
struct worker_input {
    char bytes[4096];
    size_t n_bytes;
};

/* The argument, in this process's reach. Exactly one of view and copy holds it. */
struct worker_argument {
    const unsigned char *bytes;
    size_t n_bytes;
    onecopy_view view;
    unsigned char *copy;
    uint64_t all_bytes_ns; /* after the task was sent */
    uint64_t started_ns;   /* on the environment's clock */
};

static void argument_clear(struct worker_argument *argument)
{
    onecopy_release(&argument->view);
    free(argument->copy);
}

/* Sends one line. When the runner is gone there is nobody left to tell. */
static enum status answer_send(const char *line)
{
    size_t n_bytes = strlen(line);

    return write(STDOUT_FILENO, line, n_bytes) == (ssize_t)n_bytes ? STATUS_OK : STATUS_FAILURE;
}

static enum status answer_error(const char *sentence)
{
    char line[512];

    snprintf(line, sizeof line, "error %.*s\n", (int)strcspn(sentence, "\n"), sentence);
    line[sizeof line - 2] = '\n'; /* for one that was too long */
    answer_send(line);
    return STATUS_FAILURE;
}

static enum status answer_started(const struct worker_task *task)
{
    char line[64];

    snprintf(line, sizeof line, "started %" PRIu64 "\n", clock_now() - task->sent_ns);
    return answer_send(line);
}

/* A word of a line, and where it is to go. */
static bool word_copy(const char *word, char *to, size_t n_bytes)
{
    return word && snprintf(to, n_bytes, "%s", word) < (int)n_bytes;
}

/* "count TASK ARGUMENT OFFSET LENGTH SENT_NS" */
static bool task_read(char *line, struct worker_task *task)
{
    const char *verb = strsep(&line, " "), *name = strsep(&line, " "), *argument = strsep(&line, " ");
    uint64_t numbers[3];

    if (strcmp(verb, "count") != 0 || !word_copy(name, task->name, sizeof task->name) ||
        !word_copy(argument, task->argument, sizeof task->argument) || !line || !numbers_read(line, 3, numbers))
        return false;
    task->offset = numbers[0];
    task->length = numbers[1];
    task->sent_ns = numbers[2];
    return true;
}

/* Reads a line and takes it out of the input. False when the input ends before. */
static bool line_receive(struct worker_input *input, char line[LINE_BYTES])
{
    char *end;

    while (!(end = memchr(input->bytes, '\n', input->n_bytes))) {
        ssize_t n_more =
            descriptor_read(STDIN_FILENO, input->bytes + input->n_bytes, sizeof input->bytes - input->n_bytes);

        if (n_more <= 0)
            return false;
        input->n_bytes += (size_t)n_more;
    }
    if (end - input->bytes >= LINE_BYTES)
        return false;
    *end = '\0';
    memcpy(line, input->bytes, (size_t)(end + 1 - input->bytes));
    input->n_bytes -= (size_t)(end + 1 - input->bytes);
    memmove(input->bytes, end + 1, input->n_bytes);
    return true;
}

/* One byte of each page, so that all of them are mapped. */
static void pages_touch(const volatile unsigned char *bytes, size_t n_bytes)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

    for (size_t offset = 0; offset < n_bytes; offset += page_bytes)
        (void)bytes[offset];
}

static enum status argument_map(onecopy *cache, struct worker_input *input, const struct worker_task *task,
                                struct worker_argument *argument)
{
    char line[LINE_BYTES];
    onecopy_ref ref;

    if (!cache)
        return answer_error("a ref, but no environment to look it up");
    if (onecopy_ref_parse(task->argument, &ref) < 0 || onecopy_get(cache, &ref, &argument->view) < 0)
        return answer_error(onecopy_last_error());
    argument->bytes = argument->view.data;
    argument->n_bytes = argument->view.length_bytes;
    pages_touch(argument->bytes, argument->n_bytes ? 1 : 0);
    if (answer_started(task) != STATUS_OK || !line_receive(input, line))
        return STATUS_FAILURE;
    pages_touch(argument->bytes, argument->n_bytes);
    argument->all_bytes_ns = clock_now() - task->sent_ns;
    return STATUS_OK;
}

static enum status argument_receive(struct worker_input *input, const struct worker_task *task, uint64_t n_bytes,
                                    struct worker_argument *argument)
{
    size_t n_filled = input->n_bytes < n_bytes ? input->n_bytes : n_bytes;
    bool has_started = false;

    argument->copy = malloc(n_bytes ? n_bytes : 1);
    if (!argument->copy)
        return answer_error("no memory for a copy of the argument");
    memcpy(argument->copy, input->bytes, n_filled);
    for (;;) {
        ssize_t n_read;

        if (!has_started && (n_filled || n_bytes == 0)) {
            if (answer_started(task) != STATUS_OK)
                return STATUS_FAILURE;
            has_started = true;
        }
        if (n_filled == n_bytes)
            break;
        n_read = descriptor_read(STDIN_FILENO, argument->copy + n_filled, n_bytes - n_filled);
        if (n_read <= 0)
            return answer_error("the argument's bytes ended early");
        n_filled += (size_t)n_read;
    }
    argument->all_bytes_ns = clock_now() - task->sent_ns;
    argument->bytes = argument->copy;
    argument->n_bytes = n_bytes;
    return STATUS_OK;
}

/* Sets what has become of a task; the text may be NULL. */
static enum status result_set(onecopy *cache, const struct worker_task *task, const struct worker_argument *argument,
                              uint32_t status, const char *text)
{
    const onecopy_key key = {.cache = DEMO_CACHE, .bytes = task->name, .length_bytes = strlen(task->name)};
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.data = text;
    value.length_bytes = text ? strlen(text) : 0;
    value.flags = text ? 0 : ONECOPY_WITHOUT_VALUE;
    value.ttl_ns = DEMO_TTL_NS;
    value.status = status;
    value.content_type = "text/plain";
    value.started_ns = argument->started_ns;
    value.completed_ns = text ? onecopy_now(cache) : 0;
    return onecopy_set(cache, &key, &value) < 0 ? answer_error(onecopy_last_error()) : STATUS_OK;
}

static enum status result_begin(onecopy *cache, const struct worker_task *task, struct worker_argument *argument)
{
    if (!cache)
        return STATUS_OK;
    argument->started_ns = onecopy_now(cache);
    return result_set(cache, task, argument, ONECOPY_RUNNING, NULL);
}

static enum status task_fail(onecopy *cache, const struct worker_task *task, const struct worker_argument *argument,
                             const char *sentence)
{
    return cache ? result_set(cache, task, argument, ONECOPY_FAILURE, sentence) : answer_error(sentence);
}

static enum status task_answer(onecopy *cache, const struct worker_task *task, const struct worker_argument *argument)
{
    struct text_count count = {0};
    char answer[LINE_BYTES], line[LINE_BYTES + 8];

    if (task->offset > argument->n_bytes || task->length > argument->n_bytes - task->offset)
        return task_fail(cache, task, argument, "the range lies outside of the argument");
    text_count_add(&count, argument->bytes + task->offset, task->length,
                   task->offset ? argument->bytes[task->offset - 1] : ' ');
    snprintf(answer, sizeof answer, "%" PRIu64 " %" PRIu64 " %" PRIu64, count.words, count.lines,
             argument->all_bytes_ns);
    if (cache)
        return result_set(cache, task, argument, ONECOPY_SUCCESS, answer);
    snprintf(line, sizeof line, "done %s\n", answer);
    return answer_send(line);
}

static enum status worker_serve(onecopy *cache)
{
    __attribute__((cleanup(argument_clear))) struct worker_argument argument = {0};
    struct worker_input input = {.n_bytes = 0};
    struct worker_task task;
    char line[LINE_BYTES];
    enum status status;
    uint64_t n_bytes;

    if (answer_send("ready\n") != STATUS_OK)
        return STATUS_FAILURE;
    if (!line_receive(&input, line) || !task_read(line, &task))
        return answer_error("no task, or a malformed one");
    if (strncmp(task.argument, "bytes:", 6) == 0 && numbers_read(task.argument + 6, 1, &n_bytes))
        status = argument_receive(&input, &task, n_bytes, &argument);
    else
        status = argument_map(cache, &input, &task, &argument);
    if (status == STATUS_OK)
        status = result_begin(cache, &task, &argument);
    if (status != STATUS_OK)
        return status;
    status = task_answer(cache, &task, &argument);
    while (descriptor_read(STDIN_FILENO, input.bytes, sizeof input.bytes) > 0)
        ; /* holding the argument */
    return status;
}

static enum status demo_worker_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct onecopy_options options;

    if (!arguments_read(arguments))
        return arguments->status;
    onecopy_options_init(&options);
    options.no_create = 1;
    if (arguments->environment && onecopy_open(arguments->environment, &options, &cache) < 0)
        return answer_error(onecopy_last_error());
    return worker_serve(cache);
}

static const struct option demo_worker_options[] = {OPTIONS_COMMON};

const struct command command_demo_worker = {
    .name = "demo-worker",
    .synopsis = "",
    .help = "A worker of the demo, which starts it and talks to it through pipes. Without -e it uses no\n"
            "environment.\n",
    .options = demo_worker_options,
    .run = demo_worker_run,
};
