"""Masks of numbers: which form they have, and how they become masks of bools."""

from torch import Tensor


def mask_form(mask: Tensor) -> str:
    """Return which form of torch's attention masks these numbers have, "" for another one."""
    if mask.is_complex():
        return ""
    mask = mask.float()  # float8 has no comparisons
    if bool(((mask == 0) | (mask == 1)).all()):
        return "0 and 1"
    # Some libraries write the lowest finite number for −inf.
    return "0 and −inf" if bool(((mask == 0) | (mask < -1e4)).all()) else ""


def mask_hint(known: Tensor, conversion: str = "known.bool()") -> str:
    """Say how to make the mask `known` of a tensor of numbers, by the form it has."""
    form = mask_form(known)
    if form == "0 and 1":
        return f" Use {conversion}, True where the entry is known."
    if form:
        return " An attention mask of 0 and −inf has 0 where an entry counts: use known == 0."
    if known.is_floating_point() or known.ndim != 1:
        return ""
    places = "torch.isin(torch.arange(dim), torch.as_tensor(known))"
    return f" If these are the places of known entries, use {places}."
