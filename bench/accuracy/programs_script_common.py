"""What the programs of changed example scripts share: pairs of a faulty and a repaired version.

Each is in the manner of an example script that somebody changed for their own data, or of a "spot the bug" exercise. Both versions
log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("script", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into
