"""What a new shop is going to sell, as the platform's shelves. Pure."""

from collections.abc import Iterable, Mapping

from resellers.plans.models import Application

Focus = Application.Focus

#: Shelves by their slugs; one that an installation does not have is left out.
SHELVES: Mapping[str, frozenset[str]] = {
    Focus.GAMES: frozenset({"mobile-games", "pc-games", "global-games", "game-cards"}),
    Focus.LIFE: frozenset({
        "phone-credit", "mobile-data", "video", "audio-reading", "tools-cloud", "shopping", "food-travel", "education",
        "social", "software", "gift-cards",
    }),
}  # fmt: skip


def shelves_of(focus: str, known: Iterable[str]) -> list[str]:
    """The shelves of a focus among those that there are; none (which means all) where nothing is left of it."""
    wanted = SHELVES.get(focus, frozenset())
    return sorted(set(known) & wanted)
