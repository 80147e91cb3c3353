"""Tables whose columns are not separated by commas: told by name, with the way to convert them."""

import pytest

from hopfield import data
from hopfield.errors import DataError


@pytest.mark.parametrize(
    ("text", "name", "advice"),
    [
        ("1;2\n3;4\n", "semicolons", "sep=';', header=None, dtype=str).to_csv"),
        ("a;b;label\n1;2;x\n", "semicolons", "sep=';'"),
        ("1,5;2,5\n3,5;4,5\n", "semicolons", "dtype=str).replace(',', '.', regex=True).to_csv"),
        ("1\t2\n3\t4\n", "tabs", r"sep='\t', header=None, dtype=str).to_csv"),
        ("1|2\n", "vertical bars", "sep='|'"),
        ("1 2\n3  4\n", "spaces", r"sep='\\s+'"),
    ],
)
def test_another_separator_is_named(tmp_path, text, name, advice):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        data.load(path)
    message = str(error.value)
    assert f"must have commas between its columns, but has {name}." in message
    assert advice in message and repr(str(path)) in message


def test_a_sign_in_a_name_is_no_separator(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;b,one c,label\n0.5,1,one two\n")
    assert data.load(path).patterns.tolist() == [[0.5, 1.0]]
    path.write_text("one two\n0.5\n1\n")
    assert data.load(path).patterns.tolist() == [[0.5], [1.0]]
