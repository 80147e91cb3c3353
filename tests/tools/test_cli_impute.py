"""`hopfield impute`: gaps are filled, every other byte stays; a mistake is one line."""

import csv
import io
import json
import re
import sys

import numpy as np
import pytest

from command_line import run as _run
from hopfield.data.delimited import parse

GAP = re.compile(r"\[\[(.*?)\|(.*?)\]\]", re.DOTALL)


def _without_marks(template):
    """The file: [[text|pattern]] is a gap that reads `text` and is to be filled by `pattern`."""
    return GAP.sub(lambda gap: gap[1], template)


def _expected(template):
    """A pattern of the filled file: all but the gaps is verbatim."""
    parts, end = [], 0
    for gap in GAP.finditer(template):
        parts += [re.escape(template[end : gap.start()]), f"(?:{gap[2]})"]
        end = gap.end()
    return re.compile("".join([*parts, re.escape(template[end:])]))


def _table(*rows, separator=",", end="\n"):
    return "".join(separator.join(row.split()) + end for row in rows)


# Two kinds of rows, so that a gap has one right answer.
KINDS = ["1 10 x", "2 20 y"] * 5
PLAIN = _table("a b c", *KINDS, "1 [[|10]] x", "[[NA|2]] 20 y", "1 10 [[?|x]]")
FILES = {
    "commas": PLAIN,
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "bars": PLAIN.replace(",", "|").replace("[[||", "[[|").replace("[[NA||", "[[NA|"),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "old line ends": PLAIN.replace("\n", "\r"),
    "mixed line ends": PLAIN.replace("y\n", "y\r\n"),
    "byte order mark": "\ufeff" + PLAIN,
    "no last line end": PLAIN.removesuffix("\n"),
    "blank lines": PLAIN.replace("1,10,x\n", "1,10,x\n\n", 2) + "\n\n",
    "no header": PLAIN.removeprefix("a,b,c\n"),
    "quotes": PLAIN.replace("x", '"x"').replace("[[?|", '[["?"|'),
    "quoted names": PLAIN.replace("a,b,c", '"a","the ""b"", or so","c\nd"'),
    "quoted separator": PLAIN.replace("x", '"x, of course"'),
    "quoted line end": PLAIN.replace("x", '"x\nx"'),
    "line end in one text": PLAIN.replace("y", '"y\ny"').replace(
        "1,10,[[?|x]]", '2,20,[[?|"y\ny"]]'
    ),
    "quote before one text": PLAIN.replace("y", '"""y"" z"').replace(
        "1,10,[[?|x]]", '2,20,[[?|"""y"" z"]]'
    ),
    "quoted numbers": re.sub(r"(?<=,)(\d+)(?=,)", r'"\1"', PLAIN).replace("|10]]", '|"10"]]'),
    "marks": _table("a b c", *KINDS, "[[nan|1]] 10 x", "2 [[-|20]] y", "[[NULL|1]] 10 x",
                    "[[None|2]] 20 y", "1 [[#N/A|10]] x", "2 20 [[<NA>|y]]", "[[.|1]] 10 x"),
    "blanks beside": PLAIN.replace(",", ", ").replace("[[NA|2]]", " [[NA|2]]  "),
    "blank gap": PLAIN.replace("[[|10]]", "[[  |  10]]"),
    "decimal commas": _table(
        "a b c", *["1,5 10,25 x", "2,5 20,75 y"] * 5, "1,5 [[|10,\\d\\d]] x",
        "[[NA|2,5]] 20,75 y", separator=";",
    ),
    "quoted decimal commas": _table(
        "a b", *['"1,5" 10', '"2,5" 20'] * 5, '"1,5" [[|10]]', '[[|"2,5"]] 20'
    ),
    "decimals": _table("a b", *["1.50 10", "2.50 20"] * 5, "1.50 [[|10]]", "[[|2\\.\\d\\d]] 20"),
    "exponents": _table("a b", *["1e-9 10", "2e-9 20"] * 5, "1e-9 [[|10]]", "[[|\\S+e-09]] 20"),
    "negative numbers": _table("a b", *["-1 -10", "+2 20"] * 5, "-1 [[|-10]]", "[[|2]] 20"),
    "flags": _table("a b", *["True 0", "False 1"] * 5, "[[|True]] 0", "False [[|1]]"),
    "dates": _table("a b day", *[f"{k % 2} 1{k % 2} 2020-01-{k + 10}" for k in range(10)],
                    "1 [[|11]] 2020-02-01", "0 10 [[|]]"),
    "few days": _table("a day", *["1 2020-01-01", "2 2020-01-02"] * 5, "1 [[|]]"),
    "times": _table("a b when", *["1 10 9:15", "2 20 10:15"] * 5, "1 [[|10]] [[|]]"),
    "names": _table("a b name", *[f"{k % 2} 1{k % 2} n{k}" for k in range(10)],
                    "1 [[|11]] anna", "0 [[|10]] [[|]]"),
    "codes": _table("a b zip", *[f"{k % 2} 1{k % 2} 0{k}123" for k in range(10)],
                    "1 [[|11]] 09999", "0 10 [[|]]"),
    "remarks": _table("a b note", *["1 10 [[|]]", "2 20 [[|]]"] * 5, "1 [[|10]] late"),
    "row numbers": _table("[[|]] a b", *[f"{k} {k % 2} 1{k % 2}" for k in range(10)],
                          "10 0 [[|10]]"),
    "index": _table("a b id", *[f"{k % 2} 1{k % 2} {k + 1}" for k in range(10)], "1 [[|11]] 11"),
    "years as names": _table("kind 2019 2020", *["x 1 10", "y 2 20"] * 5, "x 1 [[|10]]"),
    "umlauts": PLAIN.replace("x", "größe").replace("b", "β"),
    "empty column": _table("a b c", *["1 10 [[|]]", "2 20 [[|]]"] * 5, "1 [[|10]] [[|]]"),
    "constant column": _table("a b", *["1 5", "2 5"] * 5, "1 [[|5]]"),
    "one level": _table("a b", *["1 x", "2 x"] * 5, "1 [[|x]]"),
    "no complete row": _table(*["1 10 [[|0\\.5]]", "2 [[|20]] 0.7", "[[|1]] 10 0.5", "2 20 0.7",
                               "1 [[|10]] 0.5", "[[|2]] 20 0.7"] * 3),
    "nothing missing": _table("a b", *["1 10", "2 20"] * 5),
    "one column": "a\n1\n2\n3\n[[NA|2]]\n2\n",
    "inch marks": _table("a b", *['1 5"', '2 7"'] * 5, "1 [[|5\"]]"),
    "a stray word": _table("a b", *[f"{k % 3} {k}.5" for k in range(20)], "1 oops", "2 [[|]]"),
    "semicolon in a text": _table("a b", *["1 x;z", "2 y"] * 5, "1 [[|x;z]]"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file(capsysbinary, tmp_path, name):
    """Gaps are filled as the template says; every other byte is as it came."""
    path = tmp_path / "table.txt"
    path.write_bytes(_without_marks(FILES[name]).encode())
    status, out, err = _run(capsysbinary, "impute", path)
    assert status == 0, err
    assert _expected(FILES[name]).fullmatch(out.decode()), out.decode()
    assert err.count("\n") >= 1 and "Traceback" not in err


@pytest.mark.parametrize("name", ["commas", "decimal commas", "quoted names", "no header"])
def test_bounds_are_further_columns(capsysbinary, tmp_path, name):
    path = tmp_path / "t.csv"
    path.write_bytes(_without_marks(FILES[name]).encode())
    _, plain, _ = _run(capsysbinary, "impute", path)
    status, out, err = _run(capsysbinary, "impute", path, "--interval", ".8")
    assert status == 0 and "80% within" in err
    separator = parse(plain, "").separator
    tables = [list(csv.reader(io.StringIO(x.decode()), delimiter=separator)) for x in (plain, out)]
    for before, after in zip(*tables, strict=True):
        assert after[: len(before)] == before and len(after) == len(before) + 4
    if name != "no header":
        names = tables[1][0]
        assert names[-4:] == [f"{names[j]}_{side}" for j in (0, 1) for side in ("low", "high")]
    rows = [[cell.replace(",", ".") for cell in row] for row in tables[1][-3:]]
    assert [row[-4:] == [""] * 4 for row in rows][-1] is (name != "decimal commas")
    for row in rows:
        for j, (low, high) in enumerate([row[-4:-2], row[-2:]]):
            assert (low == "") == (high == "")
            assert low == "" or float(low) <= float(row[j]) <= float(high)


def test_named_columns_are_categories(capsysbinary, tmp_path):
    """A code between two others is no answer."""
    path = tmp_path / "t.csv"
    path.write_text(_table("code b", *["1 10", "9 11", "9 10", "1 11"] * 4, "NA 10", "NA 11"))
    status, out, _ = _run(capsysbinary, "impute", path, "--categories", "code")
    assert status == 0
    assert {line.split(b",")[0] for line in out.splitlines()[-2:]} <= {b"1", b"9"}


def test_further_marks_of_missing_cells(capsysbinary, tmp_path):
    """A word in a column of numbers is no category: it is kept, with the option that fills it."""
    path = tmp_path / "t.csv"
    template = _table(
        "a b c", *["1,5 10 x", "2,5 20 y"] * 5, "1,5 [[k.A.|10]] x", "[[K.A.|2,5]] 20 y",
        "1,5 [[-999|10]] [[k.A.|x]]", separator=";",
    )  # fmt: skip
    path.write_text(_without_marks(template))
    status, out, err = _run(capsysbinary, "impute", path)
    assert (status, out) == (
        0,
        path.read_bytes(),
    ) and err == "Nothing is missing in 13 rows × 3 columns.\n"
    path.write_text(_without_marks(template) + ";;\n")
    _, _, err = _run(capsysbinary, "impute", path)
    assert "numbers, but 'K.A.' in line 13; add --missing K.A. if that means missing" in err
    path.write_text(_without_marks(template))
    status, out, err = _run(capsysbinary, "impute", path, "--missing", "k.A., -999")
    assert status == 0 and _expected(template).fullmatch(out.decode()), (out.decode(), err)


def test_standard_input_and_output(capsysbinary, monkeypatch):
    content = io.BytesIO(_without_marks(PLAIN).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    status, out, err = _run(capsysbinary, "impute", "-", "-o", "-")
    assert status == 0 and _expected(PLAIN).fullmatch(out.decode())
    assert err.startswith("Filled 3 of 3 missing cells in 13 rows × 3 columns.")


def test_a_file_may_be_filled_in_place(capsysbinary, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(_without_marks(PLAIN))
    status, out, _ = _run(capsysbinary, "impute", path, "-o", path)
    assert (status, out) == (0, b"")
    assert _expected(PLAIN).fullmatch(path.read_text())
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_the_summary_as_one_json_object(capsysbinary, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(_without_marks(FILES["dates"]))
    status, out, err = _run(capsysbinary, "impute", path, "-o", tmp_path / "out.csv", "--json")
    facts = json.loads(out)
    assert status == 0 and out.count(b"\n") == 1 and err == ""
    assert (facts["rows"], facts["columns"], facts["missing"], facts["filled"]) == (12, 3, 2, 1)
    assert [each["name"] for each in facts["filled_columns"]] == ["b"]
    assert facts["kept_columns"] == [{"name": "day", "cells": 1, "reason": "dates"}]


def test_the_summary_in_words(capsysbinary, tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{k % 7} {k % 7 * 10} {'xy'[k % 2]} n{k}" for k in range(60)]
    path.write_text(_table("a b c name", *rows, "1 NA x NA", "2 20 NA NA"))
    _, _, err = _run(capsysbinary, "impute", path)
    lines = err.splitlines()
    assert lines[0].startswith("Filled 2 of 4 missing cells in 62 rows × 4 columns.")
    assert re.fullmatch(r"  b     1 filled, error about [\d.e-]+ \(\d+% of .*\)", lines[1])
    assert re.fullmatch(r"  c     1 filled, about \d+% right", lines[2])
    assert lines[3] == "  name  2 kept: text of 60 different values"


def test_columns_of_one_name_have_a_line_each(capsysbinary, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(_table("a a", *["1 10", "2 20"] * 5, "1 NA", "NA 20"))
    _, _, err = _run(capsysbinary, "impute", path)
    assert [line.split(",")[0] for line in err.splitlines()[1:]] == ["  a  1 filled"] * 2


MISTAKES = [
    ("impute {}/gone.csv", 1, "TABLE must be a file, but"),
    ("impute {}", 1, "is a folder"),
    ("impute", 2, "Missing argument"),
    ("impute {}/t.csv --interval 90", 1, "between 0 and 1, but is '90'. Use 0.9."),
    ("impute {}/t.csv --interval x", 1, "between 0 and 1, but is 'x'. Use .9 for 90 %."),
    ("impute {}/t.csv --interval 1", 1, "between 0 and 1"),
    ("impute {}/t.csv --interval 1.5", 1, "but is '1.5'. Use .9 for 90 %."),
    ("impute {}/t.csv -o {}/f.XLSX", 1, "--out must end as a file of text, as the table is"),
    ("impute {}/t.csv -o {}/f.parquet", 1, "Use f.csv."),
    ("impute {}/t.csv --categories A", 1, "but is 'A'. It has a, b, c."),
    ("impute {}/t.csv --categories a,bb", 1, "is 'bb'. Did you mean 'b'?"),
    ("impute {}/t.csv --json", 1, "--json needs a file for the table. Add -o FILE."),
    ("impute {}/t.csv -o {}/no/such/x.csv", 1, "--out must be a file in an existing folder"),
    ("impute {}/t.csv -o {}", 1, "--out must be a file in an existing folder"),
    ("impute {}/t.csv -o /dev/null", 1, "--out must be a file in an existing folder"),
    ("impute {}/empty.csv", 1, "must hold a table, but is empty"),
    ("impute {}/header.csv", 1, "must hold rows below its header"),
    ("impute {}/ragged.csv", 1, "line 3 has 3, and line 1 has 2"),
    ("impute {}/large.csv", 1, "column 'b' must hold numbers up to 1e+150, but row 2 holds inf."),
    ("impute {}/infinite.csv", 1, "column 'a' must hold finite numbers, but line 3 has '-inf'"),
    ("impute {}/book.csv", 1, "must be text or Parquet, but holds null bytes"),
    ("impute {}/null.csv", 1, "must be text or Parquet, but holds null bytes"),
    ("impute {}/t.csv --intervall .9", 2, "--interval"),
]


@pytest.mark.parametrize(("typed", "status", "says"), MISTAKES)
def test_a_mistake_is_one_line(capsysbinary, tmp_path, typed, status, says):
    files = {
        "t.csv": _without_marks(PLAIN).encode(), "empty.csv": b"\n\n", "header.csv": b"a,b\n",
        "ragged.csv": b"a,b\n1,2\n1,2,3\n", "infinite.csv": b"a,b\n1,2\n-inf,\n3,4\n",
        "large.csv": b"a,b\n1,2\n,1e999\n3,4\n",
        "book.csv": b"PK\x03\x04\0\0..", "null.csv": b"a,b\0\n",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    came, out, err = _run(capsysbinary, *typed.format(tmp_path, tmp_path).split())
    assert (came, out) == (status, b"")
    assert err.startswith("hopfield: ") and err.count("\n") == 1 and "Traceback" not in err
    assert says in err


def test_bytes_that_are_no_utf_8_stay(capsysbinary, tmp_path):
    path = tmp_path / "t.csv"
    template = FILES["umlauts"].replace("β", "b")
    path.write_bytes(_without_marks(template).encode("latin-1"))
    status, out, _ = _run(capsysbinary, "impute", path)
    assert status == 0
    assert _expected(template).fullmatch(out.decode("latin-1"))


def test_any_content_comes_back_unchanged():
    """Split and joined again, a file is the same bytes, however broken it is."""
    draws = np.random.default_rng(0)
    alphabet = [b'"', b",", b";", b"\n", b"\r", b"\r\n", b"a", b"1", b" ", b"\xe4", "ä".encode()]
    for _ in range(500):
        content = b"".join(alphabet[k] for k in draws.integers(len(alphabet), size=60))
        assert parse(content, "").to_bytes() == content


def test_fields_are_those_of_the_csv_module():
    """Where the csv module reads a file strictly, both read the same texts."""
    draws = np.random.default_rng(1)
    alphabet = ["a", "b c", 'say "hi"', "1,5", "two\nlines", "x;y", "", "7"]
    for separator in ",;\t|":
        rows = [[alphabet[k] for k in draws.integers(len(alphabet), size=4)] for _ in range(50)]
        text = io.StringIO()
        csv.writer(text, delimiter=separator).writerows(rows)
        file = parse(text.getvalue().encode(), "")
        assert file.separator == separator
        fields = [[each.strip('"').replace('""', '"') for each in r.fields] for r in file.records]
        assert [[x.strip('"') for x in row] for row in rows] == fields
        lines = [record.line for record in file.records]
        breaks = [sum(cell.count("\n") for cell in row) for row in rows]
        assert lines == [1 + k + sum(breaks[:k]) for k in range(len(rows))]


def test_long_work_reports_its_stages(capsysbinary, monkeypatch, tmp_path):
    from hopfield.cli import impute

    monkeypatch.setattr(impute, "LONG_WORK", 10)
    path = tmp_path / "t.csv"
    path.write_text(_without_marks(PLAIN))
    _, _, err = _run(capsysbinary, "impute", path)
    assert err.startswith("Filling 13 rows × 3 columns …\n")


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self):
        return True


def test_a_terminal_shows_the_progress(monkeypatch, tmp_path):
    from hopfield.cli.impute import impute

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    path = tmp_path / "t.csv"
    path.write_text(_without_marks(PLAIN))
    impute(str(path), str(tmp_path / "out.csv"), "", "", "", as_json=False)
    assert "filling rows" in terminal.getvalue() and "Filled" in terminal.getvalue()


@pytest.mark.parametrize("where", ["hopfield.cli.impute.fill", "hopfield.files.os.fsync"])
def test_ctrl_c_leaves_the_old_file(capsysbinary, monkeypatch, tmp_path, where):
    """While the gaps are filled, and while the file is written."""

    def interrupt(*_):
        raise KeyboardInterrupt

    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    path.write_text(_without_marks(PLAIN))
    out.write_text("what was there")
    monkeypatch.setattr(where, interrupt)
    status, printed, err = _run(capsysbinary, "impute", path, "-o", out)
    assert (status, printed) == (130, b"") and err.endswith("hopfield: interrupted.\n")
    assert out.read_text() == "what was there"
    assert sorted(tmp_path.iterdir()) == [out, path]


def test_parquet(capsysbinary, tmp_path):
    """Columns keep their types, and all that was known."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    types = {"a": "int32", "b": "float32", "c": "string", "flag": "bool", "day": "date32"}
    rows = [[1, 1.5, "x", True, 1], [2, 2.5, "y", False, 2]] * 5
    rows += [[1, None, "x", True, None], [None, 2.5, "y", False, 3], [1, 1.5, None, None, 4]]
    columns = dict(zip(types, map(list, zip(*rows, strict=True)), strict=True))
    arrays = {n: arrow.array(v, types[n] if n != "day" else "int32") for n, v in columns.items()}
    arrays["day"] = arrays["day"].cast("date32")
    arrays["kind"] = arrow.array(columns["c"]).dictionary_encode()
    arrays["large"] = arrow.array(columns["c"], "large_string")
    arrays["view"] = arrow.array(columns["c"], "string_view")  # as polars writes text
    table = arrow.table(arrays).replace_schema_metadata({"made": "here"})
    parquet.write_table(table, tmp_path / "t.parquet")
    status, out, err = _run(
        capsysbinary, "impute", tmp_path / "t.parquet", "-o", tmp_path / "out", "--interval", ".9"
    )
    assert (status, out) == (0, b""), err
    filled = parquet.read_table(tmp_path / "out")
    assert filled.schema.metadata == table.schema.metadata
    assert [filled.field(n).type for n in arrays] == [table.field(n).type for n in arrays]
    last = filled.slice(10).to_pydict()
    assert last["a"] == [1, 2, 1] and last["b"] == pytest.approx([1.5, 2.5, 1.5], abs=0.2)
    assert last["c"] == last["kind"] == last["large"] == last["view"] == ["x", "y", "x"]
    assert last["flag"] == [True, False, True]
    assert last["day"][0] is None, "dates are kept"
    assert filled.slice(0, 10).select(list(arrays)).equals(table.slice(0, 10))
    low, high = last["b_low"], last["b_high"]
    assert low[0] <= last["b"][0] <= high[0] and (low[1], high[1]) == (None, None)
    marked = arrow.table({"a": [1.0, 2.0] * 5 + [-999.0], "b": ["x", "y"] * 5 + ["x"]})
    parquet.write_table(marked, tmp_path / "m.parquet")
    _run(capsysbinary, "impute", tmp_path / "m.parquet", "-o", tmp_path / "m", "--missing", "-999")
    assert parquet.read_table(tmp_path / "m")["a"].to_pylist()[-1] == pytest.approx(1, abs=0.2)
    parquet.write_table(arrow.table({"a": [1.0, float("inf")], "b": [None, 2]}), tmp_path / "i")
    status, _, err = _run(capsysbinary, "impute", tmp_path / "i", "-o", tmp_path / "x")
    assert status == 1 and "column 'a' must hold numbers up to 1e+150, but row 2 holds inf" in err
    (tmp_path / "broken").write_bytes(b"PAR1 and no more")
    status, _, err = _run(capsysbinary, "impute", tmp_path / "broken", "-o", tmp_path / "x")
    assert status == 1 and "intact Parquet file" in err and err.count("\n") == 1


def test_without_pyarrow_it_says_so(capsysbinary, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t").write_bytes(b"PAR1")
    status, _, err = _run(capsysbinary, "impute", tmp_path / "t")
    assert status == 1 and "pip install pyarrow" in err and err.count("\n") == 1


def test_few_rows_have_no_bounds(tmp_path, capsysbinary):
    path = tmp_path / "few.csv"
    path.write_text("a,b\n" + "".join(f"{k},{2 * k if k - 3 else ''}\n" for k in range(1, 9)))
    status, _, err = _run(capsysbinary, "impute", path, "--interval", ".9", "-o", "-")
    assert status == 0
    assert "too few known cells for 90% bounds" in err
    assert "inf" not in err
