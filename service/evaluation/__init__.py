"""Few-shot accuracy of heads on labelled folders, by the protocol of the papers.

K images a class are drawn from the training split, and accuracy is measured on the test split.
``service.reports`` needs no test images, because it leaves out support images in turn;
``service.diagnosis`` fits no head.
"""
