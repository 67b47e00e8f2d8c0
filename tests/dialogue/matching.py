"""matching: compares a reply with what a dialogue wants of it, and says got and want."""

import json

from waiting import Failure


class _Absent:
    def __repr__(self):
        return "(absent)"


class _Anything:
    def __repr__(self):
        return "(anything)"


ABSENT = _Absent()  # the key must not be there
ANYTHING = _Anything()  # the key must be there, whatever its value


def difference(got, want, path="reply"):
    """The first place where `got` is not as wanted, in words; None where all is well.

    An object wanted is a subset of the one got; a list must match element by element; a function
    is asked; `true` is not 1.
    """
    if want is ANYTHING:
        return None
    if callable(want):
        return None if want(got) else f"{path}: got {show(got)}, which the dialogue does not accept"
    if isinstance(want, dict) and isinstance(got, dict):
        return _object_difference(got, want, path)
    if isinstance(want, (list, tuple)) and isinstance(got, list):
        return _list_difference(got, want, path)
    if type(got) is type(want) and got == want:
        return None
    return f"{path}: got {show(got)}, want {show(want)}"


def _object_difference(got, want, path):
    for key, value in want.items():
        if value is ABSENT:
            if key in got:
                return f"{path}.{key}: got {show(got[key])}, want it absent"
        elif key not in got:
            return f"{path}.{key}: got nothing, want {show(value)}"
        else:
            found = difference(got[key], value, f"{path}.{key}")
            if found:
                return found
    return None


def _list_difference(got, want, path):
    if len(got) != len(want):
        return f"{path}: got {len(got)} elements, want {len(want)}: {show(got)} / {show(want)}"
    for index, (one_got, one_want) in enumerate(zip(got, want)):
        found = difference(one_got, one_want, f"{path}[{index}]")
        if found:
            return found
    return None


def show(value):
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 1000 else text[:1000] + f"… ({len(text)} characters)"


def same(got, want, what="value"):
    """Fails unless `got` matches `want`."""
    found = difference(got, want, what)
    if found:
        raise Failure(found)


def true(condition, message):
    if not condition:
        raise Failure(message)
