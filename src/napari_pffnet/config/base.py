"""What all options have in common, and how what is wrong with them is said."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Unit = Annotated[float, Field(ge=0, le=1)]
"""A number between 0 and 1, both included."""
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]

MOST_THREADS = 1024
"""More than a machine has; each takes memory before it does anything."""

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class Config(BaseModel):
    """Base of all options: frozen; unknown names, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return these options.

        Raises
        ------
        ValueError
            If one is unknown or out of range, in a sentence.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            raise ValueError(explain_invalid(error, prefix="")) from error


def explain_invalid(error: ValidationError, *, prefix: str | None = None) -> str:
    """Return which options have which wrong values, and what they should be.

    Parameters
    ----------
    error
        What pydantic found.
    prefix
        Before each name, which is that of the option alone; None: names tell the place,
        too, as in a recipe.
    """
    wanted: dict[str, list[str]] = {}
    other: list[str] = []
    for item in error.errors():
        name, message = _option_name(item["loc"], prefix), item["msg"]
        if item["type"] == "extra_forbidden":
            other.append(f"There is no option {name}.")
        elif item["type"] == "value_error":
            other.append(message.removeprefix("Value error, "))
        else:
            kind = message.removeprefix("Input should be ")
            wanted.setdefault(f"{name} {item['input']}", []).append(kind)
    sentences = [
        f"{given} should be {' or '.join(kinds)}." for given, kinds in wanted.items()
    ]
    return " ".join(sentences + other)


def _option_name(place: tuple[int | str, ...], prefix: str | None) -> str:
    """Return the name of an option from its place in a model."""
    if prefix is None or not place:
        return ".".join(str(part) for part in place) or prefix or "The whole"
    # What follows the name is the type that pydantic tried.
    name = f"{prefix}{place[0]}"
    return name.replace("_", "-") if prefix else name
