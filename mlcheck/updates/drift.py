"""How far two embedding spaces are apart, whatever is retrieved: numbers for context, which no limit judges."""

import numpy as np

from mlcheck.updates.clustered import Facts
from mlcheck.updates.retrieval_settings import Similarity
from mlcheck.updates.spaces import Floats, Rows
from mlcheck.updates.trial import Side

NEIGHBOURS = 10


def mean_cosine(one: Floats, other: Floats) -> float:
    """Mean cosine of the same example in both spaces, shape (n, d) each, of one dimension; zero vectors are left out; NaN for none."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    there = lengths > 0
    if not there.any():
        return float("nan")
    return float(np.mean(np.einsum("ij,ij->i", one[there], other[there]) / lengths[there]))


def neighbour_overlap(one: Floats, other: Floats, similarity: Similarity, k: int = NEIGHBOURS) -> float:
    """Mean Jaccard index of the k nearest other examples in both spaces; shapes (n, d1) and (n, d2). NaN where n <= k."""
    count = len(one)
    if count <= k:
        return float("nan")
    lists = [_nearest(space, similarity, k) for space in (one, other)]
    member = np.zeros((2, count, count), dtype=bool)
    for which, found in enumerate(lists):
        np.put_along_axis(member[which], found, True, axis=1)
    common = (member[0] & member[1]).sum(axis=1)
    return float(np.mean(common / (2 * k - common)))


def _nearest(values: Floats, similarity: Similarity, k: int) -> Rows:
    product = values @ values.T
    if similarity == "l2":
        squares = np.einsum("ij,ij->i", values, values)
        product = 2 * product - squares[None, :]
    np.fill_diagonal(product, -np.inf)
    return np.asarray(np.argsort(-product, axis=1, kind="stable")[:, :k])


def linear_cka(one: Floats, other: Floats) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019): |Y'X|² / (|X'X| |Y'Y|) of centred columns, Frobenius norms; from 0 to 1.

    Shapes (n, d1) and (n, d2). NaN where one of them is constant.
    """
    x, y = one - one.mean(axis=0), other - other.mean(axis=0)
    denominator = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / denominator) if denominator > 0 else float("nan")


def procrustes_residual(one: Floats, other: Floats) -> float:
    """|one R - other|² / |other|² for the rotation or reflection R that makes it least; shape (n, d) each, of one dimension.

    0: a rotation takes one space to the other. NaN where `other` is all zeros.
    """
    from scipy.linalg import orthogonal_procrustes

    whole = float(np.sum(other**2))
    if not whole:
        return float("nan")
    rotation, _ = orthogonal_procrustes(one, other)
    return float(np.sum((one @ rotation - other) ** 2) / whole)


def drift(old: Side, old_rows: Rows, new: Side, new_rows: Rows) -> Facts:
    """All of them for the same examples in two spaces, with the reasons of those that have none. Rows: shape (n,) each."""
    before, after = old.space.vectors(old_rows), new.space.vectors(new_rows)
    facts = Facts({"examples": float(len(before))})
    few = f"there are {len(before):,} shared examples, or vectors that are all alike"
    facts.put("neighbour_overlap", neighbour_overlap(before, after, old.space.similarity), few)
    facts.put("linear_cka", linear_cka(before, after), few)
    alike = before.shape[1] == after.shape[1]
    why = few if alike else f"the spaces have {before.shape[1]:,} and {after.shape[1]:,} dimensions"
    facts.put("mean_cosine", mean_cosine(before, after) if alike else float("nan"), why)
    facts.put("procrustes_residual", procrustes_residual(after, before) if alike else float("nan"), why)
    return facts
