"""What the programs of groups share: pairs of a faulty and a repaired version.

Each is in the manner of the training code of a group with its own logger and its own names. Both versions log the
same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("group", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into
