"""How sure each character of a text is, and where it stands: the forward and backward variables of CTC.

Graves, Fernandez, Gomez, Schmidhuber: Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks. ICML 2006. Class 0 is the blank.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from ocr_lib.alphabet import BLANK
from ocr_lib.recognize.ctc import LOG_2, forward, lattice, logarithm, total

_MANY = 128  # classes
_AT_ONCE = 20_000  # numbers, which fit into a processor's cache
_UNSEEN = -40.0  # the logarithm of what changes no digit of a confidence
_LEAST = 1e-300  # stands for 0 where logarithms are taken
_LOST = 930  # times 2 less probable, or 1e280 times, too little is left in 64 bits

_Floats = npt.NDArray[np.float64]
_Ids = npt.NDArray[np.intp]


class Posterior(NamedTuple):
    """What the probabilities of a sample say of its label.

    Attributes
    ----------
    log_likelihood : float
        The natural logarithm of the label's probability; -inf where it is impossible.
    confidences : ndarray, shape (L,), float64
        The posterior of each character, given that the others are right: the label's probability over the sum of its
        own and of those of all labels that have another character in this place, or none. 0 where the label is
        impossible, or 1e280 times less probable than what its paths may do before a step and, apart from that, behind.
    positions : ndarray, shape (L,), float64
        The mean time step at which paths of the label stand on each character, from 0, where the first step begins, to
        1, where the last one ends. Evenly spread where confidences are 0 for these reasons.
    """

    log_likelihood: float
    confidences: _Floats
    positions: _Floats


class _Ways(NamedTuple):
    """Probabilities of the paths around each character, with t steps behind them, as scaled: (T + 1, L, N) each.

    Attributes
    ----------
    from_blank, from_any
        Of the t steps, if they end with the blank before this character, or with that or the character before it.
    staying
        Of the t steps, if they end with this character.
    onward
        Of the other steps, if they begin with this character.
    to_blank, to_character, to_any
        Of the other steps, if they begin with the blank behind this character, the character behind that, or either.
    ahead, back : ndarray, shape (T + 1, N), intp
        Exponents of 2, the scales of the first three, and of the others over the label's probability.
    share : ndarray, shape (T + 1, N)
        What makes one of the first three times one of the others a share of the label's probability.
    """

    from_blank: _Floats
    from_any: _Floats
    staying: _Floats
    onward: _Floats
    to_blank: _Floats
    to_character: _Floats
    to_any: _Floats
    ahead: _Ids
    back: _Ids
    share: _Floats


def posteriors(
    probabilities: npt.ArrayLike, labels: Sequence[Sequence[int]], lengths: Optional[npt.ArrayLike] = None
) -> List[Posterior]:
    """Compute how likely each label is, and how sure its characters are and where: exact sums over all paths.

    Parameters
    ----------
    probabilities : array_like, shape (T, N, C)
        Of each class at each time step.
    labels : sequence of N sequences of int
        Class ids from 1 to C - 1 without padding, of any length each, empty ones included.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; all T when left out.

    Returns
    -------
    list of N Posterior

    Raises
    ------
    ValueError
        If shapes, lengths or class ids do not fit.
    """
    given = np.asarray(probabilities)
    states, mask = lattice(given.shape, labels, lengths)  # (S, N), (T, N)
    steps = np.where(mask[:, :, None], given, 0.0).astype(np.float64)  # (T, N, C)
    counts = np.array([len(label) for label in labels], dtype=np.intp)
    num_states, num_samples = states.shape

    # The backward variables are the forward ones of the reversed samples, so one pass computes both.
    trellis, exponents = forward(
        np.concatenate([steps, steps[::-1]], axis=1),
        np.concatenate([states, states[::-1]], axis=1),
        np.concatenate([mask, mask[::-1]], axis=1),
        np.concatenate([np.zeros_like(counts), num_states - 1 - 2 * counts]),
    )
    ahead, back = trellis[:, :, :num_samples], trellis[::-1, ::-1, num_samples:]
    exponents_ahead = exponents[:, :num_samples]
    mantissas, own = total(ahead, exponents_ahead, labels)
    likelihoods = logarithm(mantissas, own)
    exponents_back = exponents[::-1, num_samples:] - own
    is_seen = (mantissas > 0) & ((exponents_ahead + exponents_back).max(axis=0) < _LOST)
    share = np.ldexp(is_seen / np.where(is_seen, mantissas, 1.0), exponents_ahead + exponents_back)
    # The first character has two impossible states and a blank before it; so has the last one behind it.
    from_character, from_blank, staying = ahead[:, 1:-2:2], ahead[:, 2:-2:2], ahead[:, 3::2]
    onward, to_blank, to_character = back[:, 1:-2:2], back[:, 2:-2:2], back[:, 3::2]
    ways = _Ways(
        from_blank,
        from_character + from_blank,
        staying,
        onward,
        to_blank,
        to_character,
        to_blank + to_character,
        exponents_ahead,
        exponents_back,
        share,
    )
    characters = states[1::2]
    with np.errstate(all="ignore"):  # of what is impossible, or padding
        odds = _odds_of_replaced(steps, mask.sum(axis=0), characters, counts, ways)
        odds += _odds_of_left_out(characters, counts, ways)
        confidences = np.where(np.isnan(odds), 0.0, np.minimum(1.0, 1.0 / odds))  # rivals may be beyond all numbers
        positions = _mean_steps(characters, ways) / mask.sum(axis=0)
    return [
        Posterior(likelihood, confidence[:count], position[:count])
        if seen
        else Posterior(likelihood, np.zeros(count), (np.arange(count) + 0.5) / max(count, 1))
        for likelihood, seen, confidence, position, count in zip(
            likelihoods.tolist(), is_seen.tolist(), confidences.T, positions.T, counts
        )
    ]


def _odds_of_replaced(steps: _Floats, ends: _Ids, characters: _Ids, counts: _Ids, ways: _Ways) -> _Floats:
    """Add up the labels that have any character, the right one included, in each place: (L, N), over the label."""
    odds = np.zeros(characters.shape)
    if not len(steps):
        return odds
    before, behind = _before(characters), _behind(characters)
    steps = steps[:, :, 1:]  # (T, N, C - 1)
    if steps.shape[2] > _MANY:
        steps, before, behind = _with_rare_ones_as_one(steps, before, behind)
    samples, places = np.nonzero(np.arange(len(characters)) < counts[:, None])  # (K,) each
    begins, lengths = _windows(steps, samples, places, ends, ways)
    order = np.argsort(-lengths, kind="stable")  # what is computed at once shall have windows of about one length
    while len(order):
        longest = int(lengths[order[0]])
        some, order = np.split(order, [max(1, _AT_ONCE // (longest * steps.shape[2]))])
        column = places[some], samples[some]
        window = begins[some] + np.arange(longest)[:, None]  # (W, K)
        odds[column] = _odds_within(steps, window, ends, column, (before[column], behind[column]), ways)
    return odds


def _odds_within(
    steps: _Floats,
    window: _Ids,
    ends: _Ids,
    column: Tuple[_Ids, _Ids],
    around: Tuple[_Ids, _Ids],
    ways: _Ways,
) -> _Floats:
    """Do it for K places: steps (T, N, C - 1), of which to look at (W, K), neighbours (K,) each -> (K,).

    Paths stand on a class for some steps, from an arrival on: those that do at a step did at the one before, or arrive.
    """
    samples = column[1]
    is_within = window < ends[samples]
    window = np.minimum(window, ends[samples] - 1)
    leaving = is_within * ways.share[window + 1, samples]  # (W, K)
    from_any, from_blank = ways.from_any[(window, *column)], ways.from_blank[(window, *column)]
    to_any, to_blank = (leaving * way[(window + 1, *column)] for way in (ways.to_any, ways.to_blank))
    standing = np.repeat(from_any[:, :, None], steps.shape[2], axis=2)  # (W, K, C - 1)
    # Next to an equal character a path needs the blank between the two.
    repeats, repeated = (np.flatnonzero(neighbours != BLANK) for neighbours in around)
    standing[:, repeats, around[0][repeats] - 1] = from_blank[:, repeats]
    rescaling = np.ldexp(1.0, ways.ahead[window, samples] - ways.ahead[window + 1, samples])
    probabilities = steps[window, samples] * rescaling[:, :, None]
    standing *= probabilities
    for before, after, step in zip(standing, standing[1:], probabilities[1:]):
        after += before * step
    odds: _Floats = (standing.sum(axis=2) * to_any).sum(axis=0)
    next_to_equal = standing[:, repeated, around[1][repeated] - 1] * (to_blank - to_any)[:, repeated]
    odds[repeated] += next_to_equal.sum(axis=0)
    return odds


def _with_rare_ones_as_one(steps: _Floats, before: _Ids, behind: _Ids) -> Tuple[_Floats, _Ids, _Ids]:
    """Put the classes that are improbable at all steps of a sample into one, for alphabets of thousands.

    Paths from one of them to another then count as if they stood on one, which the square of their probability says.
    """
    neighbours = [np.union1d(*pair) for pair in zip(before.T, behind.T)]
    most = min(steps.shape[2], max(_MANY, *map(len, neighbours)))
    fewer = np.empty((*steps.shape[:2], most + 1))
    before, behind = before.copy(), behind.copy()
    for n, known in enumerate(neighbours):
        likeliest = steps[:, n].max(axis=0)
        likeliest[known[known != BLANK] - 1] = np.inf
        order = np.argsort(-likeliest, kind="stable")
        kept = order[:most]
        fewer[:, n, :-1] = steps[:, n, kept]
        fewer[:, n, -1] = steps[:, n, order[most:]].sum(axis=1)
        classes = np.zeros(steps.shape[2] + 1, dtype=np.intp)
        classes[kept + 1] = np.arange(1, most + 1)
        before[:, n], behind[:, n] = classes[before[:, n]], classes[behind[:, n]]
    return fewer, before, behind


def _windows(steps: _Floats, samples: _Ids, places: _Ids, ends: _Ids, ways: _Ways) -> Tuple[_Ids, _Ids]:
    """Find where each of K places can be, for all that counts: its first step, and how many; (K,) each.

    Paths between are bounded by the products of each step's most probable character.
    """
    best = np.zeros(ways.ahead.shape)  # (T + 1, N), of running products
    np.cumsum(_logs(steps.max(axis=2)), axis=0, out=best[1:])
    is_within = np.arange(len(steps))[:, None] < ends[samples]  # (T, K)
    arriving = _logs(ways.from_any[:-1, places, samples]) + (ways.ahead * LOG_2 - best)[:-1, samples]
    leaving = _logs(ways.to_any[1:, places, samples]) + (ways.back * LOG_2 + best)[1:, samples]
    arriving, leaving = (np.where(is_within, logs, -np.inf) for logs in (arriving, leaving))
    may_arrive = arriving + np.maximum.accumulate(leaving[::-1])[::-1] > _UNSEEN
    may_leave = leaving + np.maximum.accumulate(arriving) > _UNSEEN
    begins = may_arrive.argmax(axis=0)
    return begins, len(leaving) - may_leave[::-1].argmax(axis=0) - begins


def _logs(probabilities: _Floats) -> _Floats:
    return np.log(np.maximum(probabilities, _LEAST))


def _odds_of_left_out(characters: _Ids, counts: _Ids, ways: _Ways) -> _Floats:
    """Compute the probability of the label without each character: (L, N), over the label's."""
    equal = _before(characters) == _behind(characters)
    passing = np.where(equal, ways.from_blank, ways.from_any) * ways.to_character
    # Without its last character a label ends with what comes before.
    is_last = np.arange(len(characters))[:, None] == counts - 1
    return (passing * ways.share[:, None]).sum(axis=0) + is_last * ways.from_any[-1] * ways.share[-1]


def _mean_steps(characters: _Ids, ways: _Ways) -> _Floats:
    """Average the time steps, from the middle of each, at which paths stand on each character: (L, N)."""
    arriving = np.where(_before(characters) == characters, ways.from_blank, ways.from_any)
    shares = ((arriving + ways.staying) * ways.onward * ways.share[:, None])[:-1]  # (T, L, N)
    middles = np.arange(len(shares)) + 0.5
    return np.tensordot(middles, shares, axes=1) / shares.sum(axis=0)


def _before(characters: _Ids) -> _Ids:
    """Return the character before each; a blank, which equals no character, where there is none."""
    return np.concatenate([np.full_like(characters[:1], BLANK), characters[:-1]])


def _behind(characters: _Ids) -> _Ids:
    return _before(characters[::-1])[::-1]
