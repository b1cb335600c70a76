"""Bytes that a disk has changed, files that it has lost: noticed, and nothing wrong is answered?"""
