"""What the measures say together, in a sentence or two."""

from __future__ import annotations

from service.diagnosis.lines import by_chance
from service.diagnosis.schemas import MeasuresOut


def neighbours_verdict(measures: MeasuresOut) -> str:
    """Whether images find their class better after the correction than before it."""
    if not measures.n_judged or not measures.is_corrected:
        return ""
    gained, lost = measures.gained, measures.lost
    told = (
        f"Of {measures.n_judged} images, {gained} {'has' if gained == 1 else 'have'} a nearest "
        f"image of the same class only after the correction, {lost} only before it: "
    )
    if abs(gained - lost) <= by_chance(measures):
        return told + "no clear difference."
    return told + ("it helps on these images." if gained > lost else "it harms on these images.")


def comparison_note(measures: MeasuresOut) -> str:
    """What cannot be compared, and why."""
    if not measures.is_corrected:
        return "This backbone has no correction, so there is one embedding only."
    if not measures.same_space:
        return (
            "The corrected embedding is for comparing images with images and lives in a space of "
            "its own: there are no figures for it against class names, and its uniformity and "
            "variance are not better or worse for being different."
        )
    return ""


def nameless_note(measures: MeasuresOut) -> str:
    """Why there are no measures against class names, if so."""
    if measures.frozen.texts is None:
        return "Class names carry no meaning here, so images are not compared with them."
    return ""


def told(measures: MeasuresOut) -> list[str]:
    """All that is to be said, in sentences."""
    every = (neighbours_verdict(measures), comparison_note(measures), nameless_note(measures))
    return [sentence for sentence in every if sentence]
