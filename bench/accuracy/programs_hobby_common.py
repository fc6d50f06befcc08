"""What the programs of small repositories share: pairs of a faulty and a repaired version.

Each is in the manner of a training script of a small repository, in which somebody made a mistake. Both versions
log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("hobby", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into
