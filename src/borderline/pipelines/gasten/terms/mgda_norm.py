"""The term ``mgda`` with normalised gradients, so that the size of a loss does not decide."""

from __future__ import annotations

from borderline.pipelines.gasten.terms import mgda


class Term(mgda.Term):
    """See :class:`~borderline.pipelines.gasten.terms.mgda.Term`."""

    normalise = True
