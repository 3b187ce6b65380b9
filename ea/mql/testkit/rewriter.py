"""Rewrite MQL to C++17: the few things that g++ does not take. Lines keep their numbers.

What is rewritten: properties and input groups go; inputs become variables that the environment may set; arrays become
``MqlArray``; enumerations get a size, so that they can be declared ahead; functions are declared ahead, because MQL
lets them be called above their definition. Includes are put in their place.
"""

from __future__ import annotations

import re
from pathlib import Path

from ea.mql.testkit.source import INCLUDE, parts, source_read

NAME = r"[A-Za-z_]\w*"
_GUARD = "\x00{}\x00"
_GUARDED = re.compile("\x00(\\d+)\x00")
_PROPERTY = re.compile(r"^[ \t]*#property[^\n]*", re.MULTILINE)
_GROUP = re.compile(r"^[ \t]*s?input[ \t]+group\b[^\n]*", re.MULTILINE)
_INPUT = re.compile(
    rf"^[ \t]*(?:s?input|extern)[ \t]+(?P<type>{NAME})[ \t]+(?P<name>{NAME})[ \t]*=[ \t]*(?P<value>[^;]+);",
    re.MULTILINE,
)
_ENUM = re.compile(rf"\benum\s+(?P<name>{NAME})(?=\s*\{{)")
_STRUCT = re.compile(rf"^struct\s+(?P<name>{NAME})", re.MULTILINE)
_ARRAY_PARAMETER = re.compile(rf"(?P<type>{NAME})\s*&\s*(?P<name>{NAME})\s*\[\s*\]")
_DECLARATION = re.compile(
    rf"(?P<head>(?:^|[;{{}}\)])[ \t\n]*)(?P<type>{NAME})[ \t]+(?P<rest>{NAME}[^;{{}}]*);", re.MULTILINE
)
_ARRAY = re.compile(rf"(?P<name>{NAME})\s*\[\s*(?P<size>\w*)\s*\]")
_FUNCTION = re.compile(rf"^(?P<type>{NAME})[ \t]+(?P<name>{NAME})[ \t]*\((?P<parameters>[^()]*)\)\s*\{{", re.MULTILINE)
_STATEMENTS = {"return", "else", "case", "delete", "goto", "struct", "enum", "class", "typedef", "using"}


def rewritten(path: Path) -> str:
    """Return the C++ text of an expert with its includes.

    :raises FileNotFoundError: an include that is not there
    """
    body = _rewritten_file(path.resolve(strict=True))
    return f"{_declarations(body)}\n{body}"


def _rewritten_file(path: Path) -> str:
    """Rewrite one file and, in their places, those that it includes; each has a guard of its own."""
    text = source_read(path)
    out, at = [f'#line 1 "{path}"\n'], 0
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.end()) + 2
        inner = _rewritten_file((path.parent / match["path"]).resolve(strict=True))
        out += [text_rewritten(text[at : match.start()]), inner, f'\n#line {line} "{path}"']
        at = match.end()
    return "".join([*out, text_rewritten(text[at:])])


def text_rewritten(text: str) -> str:
    """Return a piece of MQL as C++, without includes and without declarations ahead."""
    pieces = parts(text)
    code = "".join(_GUARD.format(i) if piece.opaque else piece.text for i, piece in enumerate(pieces))
    code = _GROUP.sub("", _PROPERTY.sub("", code))
    code = _INPUT.sub(_input, code)
    code = _ENUM.sub(r"enum \g<name> : int", code)
    code = _ARRAY_PARAMETER.sub(r"MqlArray<\g<type>> &\g<name>", code)
    code = _DECLARATION.sub(_declaration, code)
    return _GUARDED.sub(lambda match: pieces[int(match[1])].text, code)


def _input(match: re.Match[str]) -> str:
    kind, name, value = match["type"], match["name"], match["value"]
    return f'{kind} {name} = terminal::input_value<{kind}>("{name}", {value});'


def _declarators(rest: str) -> list[str]:
    """Cut the declared names apart at commas that are in no brackets."""
    found, depth, begin = [], 0, 0
    for at, letter in enumerate(rest):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            found.append(rest[begin:at])
            begin = at + 1
    return [*found, rest[begin:]]


def _declaration(match: re.Match[str]) -> str:
    """Turn a declaration with arrays into one statement for each name; leave any other as it is."""
    kind = match["type"]
    declared = [part.strip() for part in _declarators(match["rest"])]
    arrays = [_ARRAY.fullmatch(part) for part in declared]
    if kind in _STATEMENTS or not any(arrays):
        return match.group()
    out = []
    for part, array in zip(declared, arrays, strict=True):
        size = f"({array['size']})" if array and array["size"] else ""
        out.append(f"MqlArray<{kind}> {array['name']}{size};" if array else f"{kind} {part};")
    # The number of lines stays.
    return match["head"] + " ".join(out) + "\n" * match["rest"].count("\n")


def _declarations(body: str) -> str:
    """Declare structures, enumerations and functions ahead of all code."""
    code = "".join("" if piece.opaque else piece.text for piece in parts(body))
    lines = [f"enum {match['name']} : int;" for match in _ENUM.finditer(code.replace(" : int", ""))]
    lines += [f"struct {match['name']};" for match in _STRUCT.finditer(code)]
    for match in _FUNCTION.finditer(code):
        if match["type"] not in _STATEMENTS:
            parameters = re.sub(r"=[^,]+", "", " ".join(match["parameters"].split()))
            lines.append(f"{match['type']} {match['name']}({parameters});")
    return "\n".join(lines)
