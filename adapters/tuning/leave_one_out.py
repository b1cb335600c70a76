"""α, β and the temperature of a cache head, by leave-one-out over its support set.

Taking image i out of a cache is masking column i of the affinity matrix, so one n × n product
scores every setting: nothing is refitted per image or per setting.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adapters.tuning.temperature import calibrated_temperature, smoothed_loss
from adapters.tuning.tuning import Tuning

# β: from "all keys vote alike" to "only the nearest does".
BETAS = tuple(2.0**k for k in range(13))
# α, in units of the temperature at which the zero-shot logits are calibrated on the support
# images, and for votes of which a typical nearest key's is 1 (it is exp(−βd) otherwise): the
# search is then the same for any logit scale, any quality of the class names and any β.
ALPHAS = tuple(2.0**k for k in range(-3, 13))
# Sound without evidence (a single shot everywhere). Chosen on one-shot tasks from Caltech-101
# with meaningful and with meaningless names; see docs/leave-one-out.md.
DEFAULT_BETA = 2.0
DEFAULT_ALPHA = 64.0
DEFAULT_TEMPERATURE = 1.4
# Beyond this, exp(−βd) of a nearest key is nothing beside float32 rounding.
MAX_EXPONENT = 30.0
# Cross-entropies that differ by less are the same: the last digits of embeddings must not decide.
LOSS_TOLERANCE = 2e-3
# Numbers in the logits by which settings that hit alike are compared; bounds the time of ties.
MAX_COMPARED = 50_000
# More votes than this do not change the choice but cost time; they are spread evenly.
MAX_VOTES = 1024


def leave_one_out(zero_shot: Tensor, keys: Tensor, columns: Tensor) -> Tuning:
    """Choose the α, β and temperature under which the support images name themselves best.

    The left-out image's own class lost one of its c images, so its votes are scaled by
    c / (c − 1): otherwise small classes would look worse than they will be when serving.
    The most accurate setting wins; ties go to the lowest smoothed cross-entropy, and to the
    smoothest setting if several are as low. Images that are the only one of their class cannot
    vote; where nobody can, the documented defaults are used.

    Args:
        zero_shot: (n, N) zero-shot logits of the support images.
        keys: (n, d) their unit embeddings as cache keys.
        columns: (n,) int64 columns of their classes.

    Cost: one (n, n) product, len(BETAS) exponentials of it and len(BETAS) · len(ALPHAS)
    comparisons of (n, N) logits, and a calibration of each of the best settings.
    """
    trust = calibrated_temperature(zero_shot, columns)  # in the class names, the lower the more
    n_classes = zero_shot.shape[1]
    shots = torch.bincount(columns, minlength=n_classes)
    voters = _spread((shots[columns] > 1).nonzero().flatten(), MAX_VOTES)
    if len(voters) == 0:
        return Tuning(
            {"alpha": DEFAULT_ALPHA * trust, "beta": DEFAULT_BETA},
            temperature=DEFAULT_TEMPERATURE * trust,
        )

    zero_shot, targets = zero_shot[voters], columns[voters]
    distance = 1 - keys[voters] @ keys.T
    distance[torch.arange(len(voters)), voters] = torch.inf  # leaves one out: exp(−∞) = 0
    one_hot = torch.nn.functional.one_hot(columns, n_classes).to(keys.dtype)
    own = targets.unsqueeze(1)
    shots_left = (shots[own] - 1).to(keys.dtype)
    zero_shot_own = zero_shot.gather(1, own)
    zero_shot_others = zero_shot.scatter(1, own, -torch.inf)

    scored: list[tuple[int, float, float, Tensor]] = []
    nearest = distance.amin(dim=1).median().item()
    votes = torch.exp(nearest - distance)
    for beta in BETAS:
        if beta * nearest > MAX_EXPONENT:
            break  # only the nearest key votes, as with the β before
        cache = votes @ one_hot
        votes.square_()  # from exp(−βd) to exp(−2βd), the next β
        cache_own = cache.gather(1, own) * ((shots_left + 1) / shots_left)
        cache.scatter_(1, own, cache_own)
        for alpha in (relative * trust for relative in ALPHAS):
            others = torch.add(zero_shot_others, cache, alpha=alpha).amax(dim=1, keepdim=True)
            hits = int((zero_shot_own + alpha * cache_own > others).sum())
            scored.append((hits, alpha, beta, cache))

    compared = _spread(torch.arange(len(voters)), max(MAX_COMPARED // n_classes, 50))
    some_zero_shot, some_targets = zero_shot[compared], targets[compared]

    def loss(setting: tuple[int, float, float, Tensor]) -> float:
        _, alpha, _, cache = setting
        logits = some_zero_shot + alpha * cache[compared]
        temperature = calibrated_temperature(logits, some_targets, 0.05)
        return smoothed_loss(logits, some_targets, temperature)

    most = max(hits for hits, *_ in scored)
    best = [(loss(setting), setting) for setting in scored if setting[0] == most]
    enough = min(loss for loss, _ in best) + LOSS_TOLERANCE
    hits, alpha, beta, cache = next(setting for loss, setting in best if loss <= enough)
    return Tuning(
        {"alpha": alpha * math.exp(beta * nearest), "beta": beta},
        temperature=calibrated_temperature(zero_shot + alpha * cache, targets),
        votes=len(voters),
        accuracy=hits / len(voters),
    )


def _spread(rows: Tensor, most: int) -> Tensor:
    """At most ``most`` of the rows, evenly spread over them; always the same ones."""
    if len(rows) <= most:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most).round().long()]
