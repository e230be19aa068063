"""Questions on a terminal. Only for verbs whose session says that somebody is there.

A question that is left with Ctrl-C or Ctrl-D raises KeyboardInterrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

__all__ = ["ask_choice", "ask_text"]

_Name = TypeVar("_Name", bound=str)


def ask_choice(question: str, choices: Mapping[_Name, str]) -> _Name:
    """Return one of `choices`, whose values say what each means; the first is the default."""
    import questionary

    width = max(map(len, choices))
    items = [
        questionary.Choice(f"{name:{width}}  {meaning}".rstrip(), value=name)
        for name, meaning in choices.items()
    ]
    answer = _answered(questionary.select(question, choices=items, output=_output()))
    return next(name for name in choices if name == answer)


def ask_text(question: str, *, default: str, problem: Callable[[str], str | None]) -> str:
    """Return a text.

    Args:
        question: what is asked.
        default: what Enter alone gives.
        problem: says, as the person types, what is wrong with a text.
    """
    import questionary

    def right(text: str) -> bool | str:
        return problem(text) or True

    return _answered(questionary.text(question, default=default, validate=right, output=_output()))


def _answered(question: object) -> str:
    try:
        answer: str = question.unsafe_ask()  # type: ignore[attr-defined]
    except EOFError:
        raise KeyboardInterrupt from None
    return answer


def _output() -> Output:
    from prompt_toolkit.output import create_output

    # stdout is for results, and may be a pipe: then the other stream is the terminal.
    return create_output(always_prefer_tty=True)
