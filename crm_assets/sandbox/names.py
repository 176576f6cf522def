"""The names in the generated CRM: of people, companies and streets."""

from typing import Final

from mimesis import Address, Locale, Person

from crm_assets.sandbox.chance import Dice, mix
from crm_assets.sandbox.words import FORMS, TRADES

_FIRST, _LAST, _TRADE, _FORM = range(101, 105)
_FIRST_NAMES: Final = 2_000
_LAST_NAMES: Final = 1_000
_STREETS: Final = 500


class Names:
    """Gives every seed a name.

    A stock of names is drawn once, for a draw from the library costs more than all the rest of a record.
    """

    def __init__(self, seed: int) -> None:
        """Draw the stock; another seed, another stock."""
        person = Person(Locale.EN, seed=seed)
        address = Address(Locale.EN, seed=seed)
        self._first = [person.first_name() for _ in range(_FIRST_NAMES)]
        self._last = [person.last_name() for _ in range(_LAST_NAMES)]
        self._streets = [address.street_name() for _ in range(_STREETS)]

    def person(self, seed: int) -> tuple[str, str]:
        """Give the first and the last name of the person of a seed."""
        return self._first[mix(seed, _FIRST) % _FIRST_NAMES], self._last[mix(seed, _LAST) % _LAST_NAMES]

    def company(self, seed: int) -> str:
        """Name the company of a seed, such as ``Bauer Logistics GmbH``."""
        last = self._last[mix(seed, _LAST) % _LAST_NAMES]
        return f"{last} {TRADES[mix(seed, _TRADE) % len(TRADES)]} {FORMS[mix(seed, _FORM) % len(FORMS)]}"

    def street(self, dice: Dice) -> str:
        """Draw a house number and a street."""
        return f"{dice.number(1, 900)} {dice.pick(self._streets)}"
