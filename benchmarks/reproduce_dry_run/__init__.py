"""Every command of docs/reproduce.md, run on a tiny cut of each data set and on random weights.

    python -m benchmarks.reproduce_dry_run [--sets eurosat,dtd] [--tiny] [--keep FOLDER]

Commands are read from the page, so that page and dry run cannot part. What the page downloads is
made here: archives in the layout of the originals with drawn pictures, splits, and a TorchScript
archive of a ViT-B/16 as OpenAI's are (``--tiny``: of a ViT a thousandth as large). Prints time and
peak memory of each command. Accuracies mean nothing.
"""
