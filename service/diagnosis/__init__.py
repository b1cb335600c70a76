"""Diagnosis of a backbone: measures of both embeddings of a labelled folder, frozen and corrected.

No classifier takes part: ``service.reports`` is about the support set of one, and
``service.evaluation`` about the accuracy of all heads.
"""
