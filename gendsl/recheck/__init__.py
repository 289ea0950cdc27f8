"""The stand-alone certificate checker; `check.py` imports nothing from the rest of gendsl."""
