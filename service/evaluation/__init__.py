"""Few-shot accuracy of heads on labelled folders.

K images a class are drawn from the training split, and accuracy is measured on the test split.
Heads choose their settings by leave-one-out, as in the service, or by validation images, as in the
papers (``published_protocol``).
``service.reports`` needs no test images, because it leaves out support images in turn;
``service.diagnosis`` fits no head.
"""
