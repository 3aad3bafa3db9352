# Sums of gcovr's table of files (--csv), by folder and in all.

function add(name)
{
    lines[name] += $3
    all_lines[name] += $2
    branches[name] += $6
    all_branches[name] += $5
}

function row(name, command)
{
    printf "%-14s %6d of %6d lines %6.1f %% %6d of %6d branches %6.1f %%\n", name, lines[name], all_lines[name],
        100 * lines[name] / all_lines[name], branches[name], all_branches[name],
        all_branches[name] ? 100 * branches[name] / all_branches[name] : 100 | command
}

BEGIN { FS = "," }

NR > 1 {
    folder = $1
    sub(/\/[^\/]*$/, "", folder)
    add(folder)
    add("all")
    folders[folder]
}

END {
    for (folder in folders)
        row(folder, "sort")
    close("sort")
    row("all", "cat")
}
