"""What the programs of notebooks share: pairs of a faulty and a repaired version.

Each is in the manner of a notebook of a student, of a participant of a competition, or of an engineer who follows a blog. Both versions
log the same under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("colab", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into
