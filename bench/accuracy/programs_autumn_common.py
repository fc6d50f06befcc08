"""What the autumn programs share: pairs of a faulty and a repaired version.

Both versions log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("autumn", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into
