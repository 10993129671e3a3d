"""What tests of chapter 8 share: tables of recipes that are made up."""

from lab.far import records
from lab.tabular import growing
from table_kit import epochs, record


def ended(accuracies):
    """A table of recipes in which each of some configurations ends with such an accuracy; with None, it diverged."""
    accuracies = list(accuracies)
    runs = [
        record(config, epochs(2, accuracy or 0.99), "diverged" if accuracy is None else "finished")
        for config, accuracy in accuracies
    ]
    return growing.rows([{"config": records.key(config)} for config, _ in accuracies], runs)
