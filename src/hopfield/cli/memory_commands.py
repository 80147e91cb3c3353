"""The commands that keep a memory on disk: store, recall, remove, verify, compact."""

from typing import Annotated, Any

import typer


def option(names: str, metavar: str, text: str) -> Any:
    """Return an option that takes a value, by its names and its help."""
    return typer.Option(*names.split(), metavar=metavar, help=text)


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
File = Annotated[
    str,
    typer.Argument(metavar="MEMORY", help="A file or .lance table that hopfield store wrote."),
]
Missing = Annotated[
    str,
    option(
        "--missing", "MARK", "Entries that are unknown: nan, a number, or for pictures transparent."
    ),
]
Array = Annotated[str, option("--array", "NAME", "The array of a file that holds several.")]
Skip = Annotated[
    bool, typer.Option("--skip", help="Leave out pictures that cannot be read, and list them.")
]

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Pictures, folders of pictures, .csv, .parquet, .npy, .npz or .safetensors.",
    ),
]
OutFile = Annotated[
    str,
    option(
        "-o --out",
        "MEMORY",
        "The file to write; NAME.lance is a table on disk, which may outgrow the memory.",
    ),
]
Size = Annotated[
    str,
    option("--size", "WxH", "Pixels that pictures are resized to; 64x64 by default."),
]
Mode = Annotated[
    str,
    option("--mode", "MODE", "L (grey) or RGB; RGB if a picture has colours."),
]
Names = Annotated[
    str,
    option("--names", "NAME", "A column, an array or a text file with the names."),
]
Values = Annotated[
    str,
    option(
        "--values",
        "NAME",
        "A column, an array or a text file with values to recall; for pictures folder.",
    ),
]
Columns = Annotated[
    str,
    option("--columns", "NAMES", "Columns of the pattern, such as a,b; all of numbers."),
]
Unscaled = Annotated[
    bool,
    typer.Option(
        "--unscaled", help="Compare columns in their own units, not in standard deviations."
    ),
]
Update = Annotated[
    bool,
    typer.Option("--update", help="Add to MEMORY; a name that it has gets the new pattern."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace MEMORY.")]
Beta = Annotated[
    str,
    option("--beta", "β", "Inverse temperature; auto, the default, fits the rows."),
]
Similarity = Annotated[
    str,
    option("--similarity", "NAME", "euclidean, cosine, dot, correlation or manhattan."),
]
Cues = Annotated[
    list[str],
    typer.Argument(metavar="CUE...", help="Inputs of the kind that MEMORY holds."),
]
Keep = Annotated[
    str,
    option("--keep", "SIDE", "The half of each picture that is known: top, bottom, left or right."),
]
Half = Annotated[
    str,
    option("--half", "SIDE", "The half of a picture that each file is, torn or cut."),
]
Known = Annotated[
    str,
    option("--known", "MASK", "A picture, white where cues are known, or a .npy mask."),
]
K = Annotated[str, option("-k --k", "N", "Number of matches per cue.")]
Alpha = Annotated[
    str,
    option(
        "--alpha",
        "SHARE",
        "Answer none of these, but for this share of cues that were never stored.",
    ),
]
Strangers = Annotated[
    str,
    option("--strangers", "INPUT", "Inputs that are not stored, to judge by."),
]
CueNames = Annotated[str, option("--names", "NAME", "A column with the names of the cues.")]
OutFolder = Annotated[
    str,
    option("-o --out", "DIR", "Folder for the completed patterns."),
]
RemovedNames = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Names of patterns.")
]
Index = Annotated[str, option("--index", "NUMBERS", "Rows from 0 on, such as 3,5.")]


def store(  # noqa: PLR0913 one argument per option
    inputs: Inputs,
    out: OutFile,
    size: Size = "",
    mode: Mode = "",
    names: Names = "",
    values: Values = "",
    columns: Columns = "",
    array: Array = "",
    missing: Missing = "",
    unscaled: Unscaled = False,
    skip: Skip = False,
    update: Update = False,
    overwrite: Overwrite = False,
    beta: Beta = "",
    similarity: Similarity = "",
    as_json: AsJson = False,
) -> None:
    """Store pictures, the rows of tables, or vectors in a memory: a file, or a table on disk.

    A picture is stored under its path, upright, resized, transparent places in white. Of a table,
    the columns of numbers become the pattern, each divided by its standard deviation; other columns
    are kept with it. A row without a name is called like FILE[0].
    """
    from .reading import PictureOptions, ReadOptions, TableOptions
    from .store import store as store_inputs

    pictures, table = PictureOptions(size, mode, skip), TableOptions(columns, unscaled)
    options = ReadOptions(names, values, missing, array, pictures, table)
    network = beta, similarity
    store_inputs(inputs, out, options, network, update=update, overwrite=overwrite, as_json=as_json)


def recall(  # noqa: PLR0913 one argument per option
    memory: File,
    cues: Cues,
    keep: Keep = "",
    half: Half = "",
    known: Known = "",
    missing: Missing = "",
    k: K = "1",
    alpha: Alpha = "",
    strangers: Strangers = "",
    names: CueNames = "",
    array: Array = "",
    skip: Skip = False,
    out: OutFolder = "",
    as_json: AsJson = False,
) -> None:
    """Find what damaged or partial cues come from, and complete them.

    Prints the best matches of each cue, their similarity to it and their weight in the answer. With
    --out, writes completed pictures and a contact sheet, a table, or a .npy file.

    With --alpha, cues that come from nothing stored are answered by none of these. p is the share
    of strangers that score as well: stored patterns, each left out in turn, hidden as the cues are.
    """
    from .reading import PictureOptions, ReadOptions
    from .recall import CueOptions
    from .recall import recall as recall_cues

    pictures = PictureOptions(skip=skip, half=half)
    options = ReadOptions(names, missing=missing, array=array, pictures=pictures)
    query = CueOptions(known, keep, k, alpha, strangers)
    recall_cues(memory, cues, options, query, out, as_json=as_json)


def remove(
    memory: File,
    names: RemovedNames = None,
    index: Index = "",
    as_json: AsJson = False,
) -> None:
    """Remove patterns from a memory."""
    from .remove import remove as remove_patterns

    remove_patterns(memory, names or [], index, as_json=as_json)


def verify(memory: File, as_json: AsJson = False) -> None:
    """Check that a memory is as it was stored; the exit status is 1 where it is not.

    Computes the checksums of all rows, and of all files of a table.
    """
    from .tables import verify as verify_memory

    verify_memory(memory, as_json=as_json)


def compact(memory: File, as_json: AsJson = False) -> None:
    """Join the small files of a table on disk, and free the space of what was removed.

    Each change of a table writes a file, and keeps the version before it.
    """
    from .tables import compact as compact_table

    compact_table(memory, as_json=as_json)
