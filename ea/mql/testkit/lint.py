"""Rules for our MQL sources: what MetaEditor, the rewriter and readers take, as a list of findings.

The first rules look at the text; the last one parses the code with a C++ grammar, where tree-sitter is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_cpp

from ea.mql.testkit.rewriter import NAME
from ea.mql.testkit.source import INCLUDE, parts, source_read

LINE_LETTERS_MAX = 120
FUNCTION_LINES_MAX = 60

# What is no MQL, or what MQL has and the rewriter, MetaTrader 4 or a reader does without (design: ea.md, section 7).
DENIED = {
    r"\bnew\b": "an object made at run time",
    r"\bdelete\b": "an object made at run time",
    r"\bGetPointer\b": "a pointer",
    r"\bthis\b": "this",
    r"\binterface\b": "an interface",
    r"\btemplate\b": "a template",
    r"\bvirtual\b": "a virtual function",
    r"\boperator\b": "an operator of one's own",
    r"#import\b": "a DLL",
    r"#include[ \t]*<": "the standard library",
    r"#resource\b": "a resource",
    r"\[[^\]\n]*\][ \t]*\[": "an array of several dimensions",
    r"\[[^\]\n]*\][ \t]*=[ \t]*\{": "an array with initial values",
    r"->": "C++: ->",
    r"\bstd::": "C++: std",
    r"\b(?:auto|nullptr|constexpr|decltype|namespace|using|typename|noexcept|mutable|friend)\b": "a word of C++",
    r"\b(?:static|dynamic|reinterpret|const)_cast\b": "a cast of C++",
    r"\b(?:try|catch|throw|goto)\b": "a word of C++",
    r"\b(?:unsigned|signed|size_t|wchar_t|int64_t|uint64_t)\b": "a type of C++",
    r"\[[&=]?\][ \t]*\(": "a lambda",
    r"\b(?:OrderSend|OrderSendAsync|OrderClose|OrderDelete|OrderModify|PositionClose)\b": "trading: ours only watch",
    r"\b(?:FileSelectDialog|ShellExecute|FILE_COMMON)\b": "the world outside of the sandbox",
    r"\bStringSubstr\([^()]*,[^()]*,": "StringSubstr with a length: TextPart takes 0 for what it is",
    r"\b(?:final|override|export|pack|union|volatile)\b": "a reserved word",
    r"\bMqlInput\b|\bterminal::": "a name of the shim",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line} {self.text}"


Rule = Callable[[Path, str], Iterator[Finding]]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _code(text: str) -> str:
    """Return a source with strings and comments blanked, so that every place keeps its number."""
    return "".join(re.sub(r"[^\n]", " ", part.text) if part.opaque else part.text for part in parts(text))


def denied_words(path: Path, text: str) -> Iterator[Finding]:
    """Nothing of the denylist stands in the code."""
    code = _code(text)
    for pattern, what in DENIED.items():
        for match in re.finditer(pattern, code):
            # The part of TextPart that asks StringSubstr itself.
            if "StringSubstr" in match.group() and path.name == "Text.mqh":
                continue
            yield Finding(path, _line(code, match.start()), f"denied: {what}")


def plain_text(path: Path, text: str) -> Iterator[Finding]:
    """Only ASCII, no tabs, lines that fit: MetaEditor of any code page shows the same."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.isascii() or "\t" in line:
            yield Finding(path, number, "not plain ASCII")
        if len(line) > LINE_LETTERS_MAX:
            yield Finding(path, number, f"{len(line)} letters")


def includes_are_ours(path: Path, text: str) -> Iterator[Finding]:
    """An include is a file beside the source, written with forward slashes; each include file has a guard."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#include"):
            match = INCLUDE.fullmatch(line)
            if match is None or "\\" in match["path"] or not (path.parent / match["path"]).exists():
                yield Finding(path, number, "an include that is not there, or with backslashes")
    if path.suffix == ".mqh":
        words = re.findall(r"^#(\w+)[ \t]*(\w*)", _code(text), re.MULTILINE)
        guard = f"FAIRSTRIKE_{path.stem.upper()}"
        if words[:2] != [("ifndef", guard), ("define", guard)] or words[-1:] != [("endif", "")]:
            yield Finding(path, 1, f"no guard {guard}")


def properties_are_there(path: Path, text: str) -> Iterator[Finding]:
    """An expert says its version, what it does and which host to allow; in MetaTrader 4 it is strict."""
    if path.suffix == ".mqh":
        return
    needed = {
        "version": r'^#property version +"\d+\.\d\d"',
        "description": r"^#property description",
        "host to allow": r"^#property description .*Allow WebRequest",
        "key file": r"^#property description .*\.key",
    }
    if path.suffix == ".mq4":
        needed["strict"] = r"^#property strict"
    for what, pattern in needed.items():
        if not re.search(pattern, text, re.MULTILINE):
            yield Finding(path, 1, f"no property: {what}")


def inputs_are_explained(path: Path, text: str) -> Iterator[Finding]:
    """Each input has a comment, which MetaTrader shows in place of its name."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[ \t]*(?:s?input|extern)\b", line) and not re.search(r";[ \t]*// \S", line):
            yield Finding(path, number, "an input without a comment")
        if re.match(r"[ \t]*(?:s?input|extern)\b.*(?:Secret|Password|Token)", line):
            yield Finding(path, number, "a secret as an input: it would be stored in chart templates")


def functions_are_short(path: Path, text: str) -> Iterator[Finding]:
    """A function has at most 60 lines."""
    code = _code(text)
    for match in re.finditer(rf"^(?:{NAME}[ \t]+)({NAME})\([^()]*\)\s*^  \{{", code, re.MULTILINE):
        end = code.find("\n  }\n", match.end())
        lines = code.count("\n", match.start(), end) + 2
        if end < 0 or lines > FUNCTION_LINES_MAX:
            yield Finding(path, _line(code, match.start()), f"{match[1]} has {lines} lines")


def literals_are_not_added(path: Path, text: str) -> Iterator[Finding]:
    """Two string literals with a plus between them are a sum of pointers for g++."""
    pieces = parts(text)
    at = 0
    for i, piece in enumerate(pieces):
        neighbours = pieces[i - 1 : i + 2]
        if not piece.opaque and piece.text.strip() == "+" and all(p.text.startswith('"') for p in neighbours[::2]):
            yield Finding(path, _line(text, at), "two literals with + between them")
        at += len(piece.text)


RULES: tuple[Rule, ...] = (
    denied_words,
    plain_text,
    includes_are_ours,
    properties_are_there,
    inputs_are_explained,
    functions_are_short,
    literals_are_not_added,
)


def linted(path: Path) -> list[Finding]:
    """Return everything that the rules find in a source."""
    text = source_read(path)
    return [finding for rule in RULES for finding in rule(path, text)]


# What the grammar calls things that no source of ours may have, although each would compile.
DENIED_NODES = {
    "ERROR", "new_expression", "delete_expression", "lambda_expression", "template_declaration", "throw_statement",
    "try_statement", "goto_statement", "this", "pointer_declarator", "pointer_expression", "initializer_list",
    "namespace_definition", "using_declaration", "reference_declarator_rvalue", "concatenated_string", "enum_class",
}  # fmt: skip


def parsed(path: Path) -> list[Finding]:
    """Parse a source with a C++ grammar, after three rewrites, and return what it cannot be."""
    language = tree_sitter.Language(tree_sitter_cpp.language())
    text = source_read(path)
    code = re.sub(r"^([ \t]*)(?:s?input|extern)\b", r"\1static", text, flags=re.MULTILINE)
    code = re.sub(rf"({NAME})[ \t]*&[ \t]*({NAME})\[\]", r"\1 &\2", code)
    code = re.sub(r"\b([DC])'([^'\n]*)'", r"0", code)
    findings: list[Finding] = []

    def visit(node: Any) -> None:
        if node.type in DENIED_NODES or node.is_missing:
            findings.append(Finding(path, node.start_point[0] + 1, f"grammar: {node.type}"))
        for child in node.children:
            visit(child)

    visit(tree_sitter.Parser(language).parse(code.encode()).root_node)
    return findings
