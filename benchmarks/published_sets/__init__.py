"""The eleven data sets of published few-shot figures, as folders that `handful evaluate` reads.

    python -m benchmarks.published_sets NAME ROOT OUT

ROOT holds the data sets as CoOp lays them out (github.com/KaiyangZhou/CoOp, DATASETS.md). OUT gets
``train``, ``val`` and ``test`` with a folder of links for each class, and ``classes.json`` with the
class names and the template that Kravets & Namboodiri evaluate with.
"""
