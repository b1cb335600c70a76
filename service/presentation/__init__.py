"""Presentation of embedding measures: JSON, table and sentences that reports and diagnosis share.

Intra-modal overlap, alignment, uniformity, modality gap and nearest-neighbour accuracy are computed
by ``adapters.measures``. Here is how they are shown, without a picture; pictures are drawn by
``service.plotting``.
"""
