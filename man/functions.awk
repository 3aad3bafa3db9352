# Turns onecopy.h into a part of a manual page in scdoc: each declaration, and after it the comment before it. What
# headings of the header say ("---- getting ----") are headings here; its first comment comes as it is.

function escape(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/[_*]/, "\\\\&", text)
	sub(/^[#.;|\[\]:<>]/, "\\\\&", text)
	return text
}

function paragraph_end() {
	if (paragraph != "")
		print escape(paragraph) "\n"
	paragraph = ""
}

# A list item: the dash is scdoc's.
function item_end() {
	if (item != "")
		print "- " escape(item)
	item = ""
}

function code_end() {
	if (is_code)
		print "```\n"
	is_code = 0
}

function text_end() {
	paragraph_end()
	if (item != "") {
		item_end()
		print ""
	}
	code_end()
}

# The lines of a comment, without what makes them one.
function text_print(n,    i, line) {
	for (i = 1; i <= n; i++) {
		line = text[i]
		if (line ~ /^    / ) {
			paragraph_end()
			if (!is_code)
				print "```"
			is_code = 1
			print substr(line, 5)
		} else if (line == "") {
			if (is_code && text[i + 1] ~ /^    /)
				print ""
			else
				text_end()
		} else if (line ~ /^- /) {
			text_end_of_paragraph()
			item_end()
			item = substr(line, 3)
		} else if (item != "") {
			sub(/^ +/, "", line)
			item = item " " line
		} else {
			code_end()
			paragraph = paragraph (paragraph == "" ? "" : " ") line
		}
	}
	text_end()
}

function text_end_of_paragraph() {
	paragraph_end()
	code_end()
}

# A comment with its marks, as lines of text.
function comment_add(line) {
	sub(/^\/\*/, "", line)
	sub(/ *\*\/$/, "", line)
	sub(/^ \*/, "", line)
	sub(/^ /, "", line)
	sub(/ +$/, "", line)
	if (line != "" || n_text > 0)
		text[++n_text] = line
}

function declaration_print(    i) {
	if (n_code == 0)
		return
	print "```"
	for (i = 1; i <= n_code; i++)
		print code[i]
	print "```\n"
	n_code = 0
	text_print(n_text)
	n_text = 0
}

/^#ifndef ONECOPY_H$|^#define ONECOPY_H$|^#include|^#ifdef __cplusplus|^extern "C"|^#endif|^}$/ {
	declaration_print()
	if (!is_begun)
		text_print(n_text)
	is_begun = 1
	n_text = 0
	next
}

/^\/\* ---- .* ---- \*\/$/ {
	declaration_print()
	sub(/^\/\* ---- /, "")
	sub(/ ---- \*\/$/, "")
	text_print(n_text)
	n_text = 0
	print "## " toupper($0) "\n"
	next
}

/^\/\*/ && depth == 0 {
	declaration_print()
	if (n_text) # that of no declaration in particular
		text_print(n_text)
	n_text = 0
	is_comment = 1
}

is_comment {
	comment_add($0)
	if (/\*\/$/)
		is_comment = 0
	next
}

/^$/ && depth == 0 {
	declaration_print()
	next
}

{
	code[++n_code] = $0
	line = $0
	depth += gsub(/{/, "", line) - gsub(/}/, "", line)
}

END {
	declaration_print()
	text_print(n_text)
}
