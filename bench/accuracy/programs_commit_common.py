"""What the programs of bug-fix commits share: pairs of the state before and after the commit.

Each is in the manner of a training script whose history has a commit "fix training". Both versions log the same
under the same names. Expected rules are chosen by what their names say, not by how mlcheck judges.
"""

from bench.accuracy.harness import Pairs

_AUTHOR = Pairs("commit", "seen")
into, odd_into = _AUTHOR.into, _AUTHOR.odd_into
