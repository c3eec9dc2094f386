"""Devices, compiled programs and memory of this machine."""
