"""Interpretation of embedding measures: what they say together, in a sentence or two."""

from __future__ import annotations

from service.presentation.measure_schemas import MeasuresOut
from service.presentation.measure_table import sign_test_margin
from service.presentation.wording import quantity


def neighbours_verdict(measures: MeasuresOut) -> str:
    """Nearest-neighbour accuracy after the correction against before it, by the sign test."""
    if not measures.n_judged or not measures.is_corrected:
        return ""
    gained, lost = measures.gained, measures.lost
    count = (
        f"Of {measures.n_judged} images, {quantity(gained, 'has', 'have')} a nearest "
        f"image of the same class only after the correction, {lost} only before it: "
    )
    if abs(gained - lost) <= sign_test_margin(measures):
        return count + "no clear difference."
    return count + ("it helps on these images." if gained > lost else "it harms on these images.")


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


def interpretation(measures: MeasuresOut) -> list[str]:
    """Interpretation of all measures together, in sentences."""
    every = (neighbours_verdict(measures), comparison_note(measures), nameless_note(measures))
    return [sentence for sentence in every if sentence]
