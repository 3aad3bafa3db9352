/*
 * The command `completion`: prints what a shell has to be told to complete the words of this program. All that is to be
 * known is known here (see complete.c), so each script does no more than to ask, and to hand on the answer in the way of
 * its shell. A first line that begins with a colon is no word: it asks for the names of files or directories.
 */
#include <stdio.h>

#include "commands.h"

static const char *const shells[] = {"bash", "zsh", "fish"};
enum { N_SHELLS = sizeof shells / sizeof *shells };

/*
 * bash takes a colon and an equals sign for ends of words, and wants what comes after the last one alone: words are put
 * together again before asking, and their beginnings taken off the answers.
 */
static const char bash_script[] =
    "_onecopy() {\n"
    "    local word line current= glued= words=()\n"
    "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
    "        if [[ ${#words[@]} -gt 0 && ( $word == [:=] || $glued ) ]]; then\n"
    "            words[-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "        glued=\n"
    "        [[ $word == [:=] ]] && glued=1\n"
    "    done\n"
    "    current=${words[-1]}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
    "        :directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
    "        *)\n"
    "            line=${line%%$'\\t'*}\n"
    "            [[ $current == *[:=]* ]] && line=${line#\"${current%\"${current##*[:=]}\"}\"}\n"
    "            [[ $line == *[^A-Za-z0-9_./:,=@%+-]* ]] && line=$(printf %q \"$line\")\n"
    "            COMPREPLY+=(\"$line\")\n"
    "            ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" complete -- \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _onecopy onecopy\n";

static const char zsh_script[] =
    "#compdef onecopy\n"
    "_onecopy() {\n"
    "    local line\n"
    "    local -a found shown\n"
    "    for line in \"${(@f)$(\"${words[1]}\" complete -- \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        case $line in\n"
    "        '') ;;\n"
    "        :files) _files; return ;;\n"
    "        :directories) _files -/; return ;;\n"
    "        *) found+=(\"${line%%$'\\t'*}\"); shown+=(\"${line/$'\\t'/  -- }\") ;;\n"
    "        esac\n"
    "    done\n"
    "    compadd -l -d shown -a -- found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _onecopy ]; then\n"
    "    _onecopy \"$@\"\n"
    "else\n"
    "    compdef _onecopy onecopy\n"
    "fi\n";

static const char fish_script[] =
    "function __onecopy_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    set -l found (eval (string escape -- $words[1]) complete -- (string escape -- $words[2..-1]) "
    "(string escape -- \"$current\") 2>/dev/null)\n"
    "    switch \"$found[1]\"\n"
    "        case :files\n"
    "            __fish_complete_path \"$current\"\n"
    "        case :directories\n"
    "            __fish_complete_directories \"$current\"\n"
    "        case '*'\n"
    "            printf '%s\\n' $found\n"
    "    end\n"
    "end\n"
    "complete -c onecopy -f -a '(__onecopy_complete)'\n";

static enum status completion_run(struct arguments *arguments)
{
    static const char *const scripts[N_SHELLS] = {bash_script, zsh_script, fish_script};
    uint32_t shell;

    if (!arguments_read(arguments))
        return arguments->status;
    if (argument_word("SHELL", arguments->operands[0], shells, N_SHELLS, &shell) != STATUS_OK)
        return STATUS_USAGE;
    fputs(scripts[shell], stdout);
    return STATUS_OK;
}

static const struct option completion_options[] = {OPTIONS_COMMON};

const struct command command_completion = {
    .name = "completion",
    .synopsis = "bash|zsh|fish",
    .summary = "print a script that completes words for a shell",
    .help = "Prints what the shell has to read to complete commands, options, caches, keys and refs:\n"
            "\n"
            "  bash   source <(onecopy completion bash)                          in ~/.bashrc\n"
            "  zsh    source <(onecopy completion zsh)                           in ~/.zshrc, after compinit\n"
            "  fish   onecopy completion fish | source                           in ~/.config/fish/config.fish\n",
    .options = completion_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = completion_run,
};
