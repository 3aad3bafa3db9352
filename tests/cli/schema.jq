# Compares what a command printed as JSON with what the manual page says of it; prints each difference, and nothing when
# there is none. $page: the page's source. $name: the command, as the page has it.
#
# In the page, a name stands at the beginning of a line; the lines below it have two blanks, a field, its type, and words.
# A type is one of JSON's, another name, [TYPE], or several with | in between; "all of NAME" stands for NAME's fields.

def names:
  reduce ($page | split("\n")[]) as $line ({of: {}, name: null};
    if $line | test("^[A-Za-z_]+( [A-Za-z-]+)*$") then .name = $line
    elif .name and ($line | startswith("  ")) then
      ($line | capture("^  (?<field>all of|[a-z_]+) +(?<type>[^ ]+)")) as $found | .of[.name][$found.field] = $found.type
    else .name = null end)
  | .of;

def fields($names; $one):
  $names[$one] | (if has("all of") then fields($names; .["all of"]) else {} end) + del(.["all of"]);

def is_of($names; $expected): # as far as it can be told without looking into it
  if $expected | startswith("[") then type == "array"
  elif $names | has($expected) then type == "object"
  else type == $expected end;

def differences($names; $expected; $where):
  . as $value
  | [$expected | splits("\\|") | select(. as $one | $value | is_of($names; $one))][0] as $is
  | if $is == null then "\($where) is \(type), not \($expected)"
    elif $is | startswith("[") then
      range(length) as $i | .[$i] | differences($names; $is[1:-1]; "\($where)[\($i)]")
    elif $names | has($is) then
      fields($names; $is) as $fields
      | ((($fields | keys) - keys)[] | "\($where).\(.) is missing"),
        ((keys - ($fields | keys))[] | "\($where).\(.) is not in the page"),
        (to_entries[] | .key as $key | select($fields | has($key))
          | .value | differences($names; $fields[$key]; "\($where).\($key)"))
    else empty end;

names as $names
| if $names | has($name) then differences($names; $name; "") else "the page has no \($name)" end
