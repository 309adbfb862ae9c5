"""Read and check the table of metrics that `aggregate` writes."""

from pathlib import Path

import pandas as pd

from videottt.core.errors import InputError, absent
from videottt.evaluation.metrics import headline

# Together, these identify a row.
IDS = ("dataset", "split", "task", "method", "seed", "aggregation", "video", "metric")
# Read as text: a video may be called 0012, or null.
TEXTS = {name: str for name in IDS if name != "seed"}
UNDEFINED = {"value": ["", "nan", "NaN"]}
AGAIN = "make it again with 'aggregate'"


def read_metrics(path: Path) -> pd.DataFrame:
    """Return a table of metrics, one number a row, with the columns `IDS` and `value`.

    Raises:
        InputError: the file is absent or has another format, a value is not a number, a task is
            unknown, or a number is listed twice.
    """
    if not path.is_file():
        raise absent(path)
    try:
        metrics = pd.read_csv(path, dtype=TEXTS, na_values=UNDEFINED, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a table of metrics ({error}); {AGAIN}") from None
    missing = [name for name in (*IDS, "value") if name not in metrics]
    if missing:
        raise InputError(f"{path}: has no column '{missing[0]}'; {AGAIN}")
    if metrics.empty:
        raise InputError(f"{path}: has no row; {AGAIN}")
    for name in IDS:
        if metrics[name].isna().any() or (metrics[name] == "").any():
            raise InputError(f"{path}: a row has no '{name}'; {AGAIN}")
    for name in ("seed", "value"):
        _check_numbers(path, metrics[name])
    for task in metrics.task.unique():
        try:
            headline(task)
        except InputError as error:
            raise InputError(f"{path}: {error}; {AGAIN}") from None
    twice = metrics[metrics.duplicated(list(IDS))]
    if not twice.empty:
        ids = " ".join(map(str, twice[list(IDS)].iloc[0]))
        raise InputError(f"{path}: '{ids}' is listed twice; {AGAIN}")
    return metrics


def _check_numbers(path: Path, column: pd.Series) -> None:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna()]
    if not wrong.empty:
        raise InputError(f"{path}: a {column.name} is '{wrong.iloc[0]}', not a number; {AGAIN}")
