# Turns what `onecopy help COMMAND` prints, of one command after another, into a part of a manual page in scdoc; and the
# lists of options that `onecopyd --help` prints.
#
# A usage, which may go on in indented lines; paragraphs; and lists of options, indented by two, whose meaning follows
# after two blanks or more and may go on in lines that are indented further.

function escape(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/[_*]/, "\\\\&", text)
	return text
}

function paragraph_end() {
	if (paragraph != "")
		print escape(paragraph) "\n"
	paragraph = ""
}

function option_end() {
	if (option != "")
		print "*" escape(option) "*\n\t" escape(meaning) "\n"
	option = ""
}

/^usage: onecopy/ {
	option_end()
	sub(/^usage: onecopy \[-e PATH\] /, "")
	usage = $0
	print "## " $1 "\n"
	is_usage = 1
	next
}

is_usage && /^ / {
	sub(/^ +/, " ")
	usage = usage $0
	next
}

is_usage {
	print "*onecopy* " escape(usage) "\n"
	is_usage = 0
	next
}

/^$/ {
	paragraph_end()
	option_end()
	next
}

/^  [^ ]/ {
	paragraph_end()
	option_end()
	line = substr($0, 3)
	at = match(line, /   *[^ ]/)
	option = at ? substr(line, 1, at - 1) : line
	meaning = at ? substr(line, at + RLENGTH - 1) : ""
	next
}

/^   / && option != "" {
	sub(/^ +/, "")
	meaning = meaning " " $0
	next
}

{
	option_end()
	paragraph = paragraph (paragraph == "" ? "" : " ") $0
}

END {
	paragraph_end()
	option_end()
}
