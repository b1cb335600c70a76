"""Few-shot accuracy on folders of images, by the protocol of the papers."""
