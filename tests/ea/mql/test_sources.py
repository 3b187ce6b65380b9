"""Our MQL sources are what MetaEditor can take, as far as that can be told without it (ea.md 7); each rule bites."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ea.mql.testkit import lint
from ea.mql.testkit.build import CompileFailed, expert_built
from ea.mql.testkit.lint import Finding, Rule
from ea.mql.testkit.rewriter import rewritten, text_rewritten
from ea.mql.testkit.source import files_of, source_read
from tests.ea.mql.conftest import EXPERTS, PATHS

SOURCES = sorted(path for path in EXPERTS.rglob("*.mq*") if path.suffix in {".mq5", ".mq4", ".mqh"})
GOOD = """#property copyright "x"
#property version "1.00"
#property strict
#property description "Allow WebRequest for x; key in Files\\\\x.key"
input int InpSpeed = 3; // How fast
int OnInit() { return INIT_SUCCEEDED; }
void OnDeinit(const int reason) {}
void OnTimer() {}
void OnTradeTransaction(const MqlTradeTransaction &trans, const MqlTradeRequest &request,
                        const MqlTradeResult &result) {}
"""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_our_sources_keep_the_rules(path: Path) -> None:
    assert [str(finding) for finding in lint.linted(path)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_our_sources_parse(path: Path) -> None:
    assert [str(finding) for finding in lint.parsed(path)] == []


def test_every_include_belongs_to_an_expert() -> None:
    used = {file for path in PATHS.values() for file in files_of(path)}

    assert used == {path.resolve() for path in SOURCES}
    assert len(SOURCES) > 15


BAD: list[tuple[Rule, str]] = [
    *(
        (lint.denied_words, f"int F()\n  {{\n   {code}\n  }}\n")
        for code in (
            "Thing *t = new Thing();", "delete t;", "GetPointer(x);", "this.x = 1;", "int a[2][3];", "int a[] = {1};",
            "p->x = 1;", "std::max(1, 2);", "auto x = 1;", "x = nullptr;", "x = static_cast<int>(y);", "throw 1;",
            "unsigned int x;", "f = [&](int x) {};", "OrderSend(request, result);", "FileOpen(x, FILE_COMMON);",
            "StringSubstr(x, 0, n);",
        )
    ),
    (lint.denied_words, '#import "x.dll"\n'),
    (lint.denied_words, "#include <Trade/Trade.mqh>\n"),
    (lint.denied_words, "template<class T>\n"),
    (lint.plain_text, "// caf\u00e9\n"),
    (lint.plain_text, "int x;\t// tab\n"),
    (lint.plain_text, "//" + "x" * 130 + "\n"),
    (lint.includes_are_ours, '#include "..\\common\\Text.mqh"\n'),
    (lint.includes_are_ours, '#include "Nowhere.mqh"\n'),
    (lint.properties_are_there, GOOD.replace("#property strict\n", "")),
    (lint.properties_are_there, GOOD.replace('version "1.00"', 'version "1"')),
    (lint.properties_are_there, GOOD.replace("Allow WebRequest", "Allow it")),
    (lint.inputs_are_explained, "input int InpSpeed = 3;\n"),
    (lint.inputs_are_explained, 'input string InpSecret = ""; // The secret\n'),
    (lint.functions_are_short, "int F()\n  {\n" + "   x++;\n" * 60 + "  }\n"),
    (lint.literals_are_not_added, 'string x = "a" + "b";\n'),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_each_rule_bites(rule: Rule, text: str) -> None:
    assert len(list(rule(Path("Bad.mq4"), text))) == 1


def test_a_guard_is_missed() -> None:
    assert len(list(lint.includes_are_ours(Path("Bad.mqh"), "int x;\n"))) == 1


def test_words_in_strings_and_comments_are_nobody_s_business() -> None:
    text = '// a new thing, this -> that\nstring x = "delete auto";\n/* goto */\n'

    assert list(all_findings(Path("Good.mqh"), text)) == []


def all_findings(path: Path, text: str) -> Iterator[Finding]:
    """Yield what the rules about words find."""
    yield from lint.denied_words(path, text)
    yield from lint.literals_are_not_added(path, text)


@pytest.mark.parametrize(
    "code", ["int F( { }", "int *p;", "void F() { int x = [](){ return 1; }(); }", "int F() { if( }"]
)
def test_the_grammar_bites(tmp_path: Path, code: str) -> None:
    path = tmp_path / "Bad.mq5"
    path.write_text(code)

    assert lint.parsed(path) != []


def test_sources_of_metaeditor_in_utf_16_are_read(tmp_path: Path) -> None:
    path = tmp_path / "Wide.mq5"
    path.write_bytes("\ufeffint x;".encode("utf-16-le"))

    assert source_read(path) == "int x;"


REWRITES = [
    ("uchar a[], b;", "MqlArray<uchar> a; uchar b;"),
    ("int x[16];", "MqlArray<int> x(16);"),
    ('string words[], name = F(a, "b,c");', 'MqlArray<string> words; string name = F(a, "b,c");'),
    ("void F(const uchar &a[], string &out[]) {", "void F(const MqlArray<uchar> &a, MqlArray<string> &out) {"),
    ("input double Inp = 1.5; // x", 'double Inp = terminal::input_value<double>("Inp", 1.5); // x'),
    ("enum A { B };", "enum A : int { B };"),
    ("x[0] = y[1];", "x[0] = y[1];"),
    ("return a[0];", "return a[0];"),
    ('s = "int a[];";', 's = "int a[];";'),
]


@pytest.mark.parametrize(("mql", "cpp"), REWRITES)
def test_what_is_rewritten_and_what_is_not(mql: str, cpp: str) -> None:
    assert text_rewritten(mql) == cpp


@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.name)
def test_lines_keep_their_numbers(path: Path) -> None:
    """A report of a sanitizer names the line of the MQL source."""
    lines = rewritten(path).splitlines()
    expected = {}
    for file in files_of(path):
        for number, line in enumerate(source_read(file).splitlines(), 1):
            if line.startswith(("void ", "int ")):
                expected[line.split("(")[0]] = (str(file), number)
    found, at = {}, ("", 0)
    for line in lines:
        if line.startswith("#line"):
            at = (line.split('"')[1], int(line.split()[1]) - 1)
            continue
        at = (at[0], at[1] + 1)
        name = line.split("(")[0]
        if name in expected and at[0]:
            found[name] = at
    assert {name: place for name, place in found.items() if place != expected[name]} == {}
    assert len(found) > 10


MISTAKES = [
    ("a number taken for text", 'string x = "a"; x = x + 5;'),
    ("a number returned as text", "string x = 5;"),
    ("a loss of digits", "long y = 5; int x = y;"),
    ("a sign that is lost in a comparison", "uint y = 5; int z = 4; if(y > z) Print(\"x\");"),
    ("a value that is not used", "int x = 5;"),
    ("a variable that nobody set", 'int x; if(x > 3) Print("x");'),
    ("a function that is not documented", "SocketListen(5);"),
    ("an argument of the wrong kind", "uchar a[]; SocketSend(a, a, 5);"),
    ("a constant of another property", "AccountInfoInteger(ACCOUNT_SERVER);"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "code"), MISTAKES, ids=[what for what, _ in MISTAKES])
def test_what_the_compiler_must_refuse(tmp_path: Path, what: str, code: str) -> None:
    """What MetaEditor warns about, or refuses, must not build here either."""
    path = tmp_path / "Mistake.mq5"
    path.write_text(GOOD + f"void Wrong() {{ {code} }}\n")

    with pytest.raises(CompileFailed):
        expert_built(path)


CRASHES = [
    ("an array's end is passed", "uchar a[]; ArrayResize(a, 3); a[3] = 1;", "array out of range"),
    ("a format that does not fit", 'long x = 1; PrintFormat("%d", x);', "the format does not fit its argument"),
    ("a file outside of the sandbox", 'FileOpen("..\\\\x", FILE_WRITE);', "a file outside of the sandbox"),
    ("a division by zero", "int x = 0; x = 5 / x;", "division by zero"),
    ("an overflow", "int x = 2147483647; x += InpSpeed;", "signed integer overflow"),
]


@pytest.mark.parametrize(("what", "code", "report"), CRASHES, ids=[what for what, _, _ in CRASHES])
def test_what_the_run_must_not_survive(tmp_path: Path, what: str, code: str, report: str) -> None:
    """A terminal stops such an expert, or goes on with nonsense."""
    path = tmp_path / "Crash.mq5"
    path.write_text(GOOD.replace("return INIT_SUCCEEDED;", f"{code} return INIT_SUCCEEDED;"))
    program = expert_built(path)

    done = subprocess.run([str(program), str(tmp_path)], capture_output=True, text=True, timeout=20, input="")

    assert done.returncode != 0
    assert report in done.stderr
