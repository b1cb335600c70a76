"""Frigate: objects that its cameras track get sub labels, which Home Assistant is told of.

Frigate has no hook for models of others. So the bridge listens to its events by MQTT, fetches the
snapshots of tracked objects, has a running service classify them, and writes sub labels back.
"""
