"""Settings declared as checked dataclasses."""

import dataclasses
from dataclasses import field
from typing import Annotated, Any, Literal

import pytest

from videottt.core.annotations import Count, Fraction, Ids, MustBe, SomeOf
from videottt.core.errors import InputError
from videottt.core.settings import build_settings, check_settings, problem_in, settings


@settings
class Inner:
    rate: Fraction = 0.5
    kind: Literal["slow", "fast"] = "slow"

    def __post_init__(self) -> None:
        if self.kind == "fast" and self.rate > 0.9:
            raise ValueError("fast and a rate above 0.9 contradict each other")


@settings
class Outer:
    count: Count
    inner: Inner = field(default_factory=Inner)
    pair: tuple[int, int] | None = None
    names: Ids | None = None
    either: Annotated[int | Literal["all"], MustBe("a number or 'all'")] = 1
    flag: bool = False
    many: dict[str, Annotated[dict[str, Any], SomeOf(Inner)]] = field(default_factory=dict)


WRONG = [
    ({}, "the setting 'count' is missing; add it"),
    ({"cuont": 1}, "unknown setting 'cuont'; did you mean 'count'?"),
    ({"count": 0}, "count: 0 is not allowed; it must be at least 1"),
    ({"count": True}, "count: true is not allowed; it must be a whole number"),
    ({"count": "1"}, "count: '1' is not allowed; it must be a whole number"),
    ({"count": 1, "inner": {"rat": 1}}, "inner: unknown setting 'rat'; did you mean 'rate'?"),
    ({"count": 1, "inner": {"rate": 2}}, "inner.rate: 2 is not allowed; it must be at most 1"),
    ({"count": 1, "inner": {"kind": "fsat"}}, "inner.kind: 'fsat' is not allowed; did you mean"),
    ({"count": 1, "inner": {"kind": "fast", "rate": 1}}, "inner: fast and a rate above 0.9 contr"),
    ({"count": 1, "inner": 3}, "inner: 3 is not allowed; it must be settings by name"),
    ({"count": 1, "pair": [1]}, "pair: [1] has too few entries"),
    ({"count": 1, "pair": [1, 2, 3]}, "pair: [1, 2, 3] has 3 entries, but must have at most 2"),
    ({"count": 1, "names": ["a", "a"]}, "names: has 'a' twice; name it once"),
    ({"count": 1, "names": ["a b"]}, "names.0: 'a b' is not allowed; it must be letters, digits"),
    ({"count": 1, "either": "most"}, "either: 'most' is not allowed; it must be a number or 'all'"),
    ({"count": 1, "flag": 1}, "flag: 1 is not allowed; it must be true or false"),
    ({"count": 1, "many": {"x": {"rte": 1}}}, "many.x: unknown setting 'rte'; did you mean 'rate'"),
    ({"count": 1, "many": {3: {}}}, "many: the name 3 is no text; put it in quotes"),
    ({"count": 1, "inner": {"rate": float("nan")}}, "inner.rate: NaN is not allowed; it must be"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_a_wrong_value_is_one_line_with_its_place_and_the_way_to_mend_it(values, message):
    with pytest.raises(InputError) as caught:
        build_settings(Outer, values, "here")
    assert str(caught.value).startswith("here: ")
    assert message in str(caught.value)
    assert problem_in(Outer, values) is not None


def test_right_values_become_an_instance_with_tuples_and_defaults():
    values = {"count": 2, "pair": [1, 2], "inner": {"rate": 1}, "either": "all"}
    made = build_settings(Outer, values, "here")
    assert made == Outer(2, Inner(1.0), (1, 2), either="all")
    assert dataclasses.replace(made, count=3).count == 3
    assert problem_in(Outer, values) is None


def test_some_settings_of_a_class_lack_what_others_say():
    kind = Annotated[dict[str, Any], SomeOf(Outer, omit=["flag"])]
    check_settings(kind, {"pair": [1, 2]}, "here")
    for values, message in (({"flag": True}, "unknown setting 'flag'"), ({"count": 0}, "at least")):
        with pytest.raises(InputError, match=message):
            check_settings(kind, values, "here")


def test_python_checks_as_strictly_and_never_changes_what_is_made():
    for make in (
        lambda: Outer(),
        lambda: Outer(count=0),
        lambda: Outer(count="1"),
        lambda: Outer(count=1, inner={"rate": 1}),
        lambda: Outer(count=1, cuont=1),
        lambda: dataclasses.replace(Outer(1), count=0),
    ):
        with pytest.raises(InputError, match=r"^Outer: "):
            make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Outer(1).count = 2
