"""`make every`: trains what the table lacks, slice by slice, then replays Bayesian searches on it.

    python -m lab.tabular.every

However it ends, the same command goes on from what is written.
"""

from lab.tabular import bayes, sheet
from lab.tabular import table as tabular
from lab.tabular.cube import cube


def main() -> None:
    """Do all that is lacking."""
    tabular.compute(tell=sheet.tell)
    bayes.compute(cube(tabular.load()).only(tabular.SEEDS))


if __name__ == "__main__":
    main()
